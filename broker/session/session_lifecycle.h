#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/mqtt/connect_codec.h"
#include "broker/session/durable_sessions.h"
#include "broker/session/message_sender.h"
#include "broker/session/progress.h"
#include "broker/session/session_context.h"

namespace hub::broker {

// CONNECT, DISCONNECT, and the life of sessions and their wills (MQTT 5.0 sections 3.1, 3.14, 4.1).
class SessionLifecycle {
 public:
  // Which shard a client's session lives on.
  struct Home {
    std::uint32_t shard = 0;
    std::uint32_t shard_count = 1;
    std::uint64_t hub_start = 0;  // names this run of the hub in client ids that it assigns
  };
  SessionLifecycle(SessionContext& context, DurableSessions& durable, MessageSender& sender,
                   const Home& home)
      : context_(context), durable_(durable), sender_(sender), home_(home) {}

  // The first packet of a connection. Refuses by itself what cannot be.
  [[nodiscard]] Progress on_connect(Channel& channel, std::string_view body);
  [[nodiscard]] Handled on_disconnect(Channel& channel, std::string_view body);
  // The keep-alive may be over. read: the connection is read, so that its silence is its own fault.
  [[nodiscard]] Progress on_keep_alive(Channel& channel, bool read);

  enum class Will : std::uint8_t { publish, discard };
  // The connection is gone, or is to be: its session has its time from now.
  void detach(Channel& channel, Will will);

  // Of a delayed will, or of a session's expiry.
  void on_wake(ShardEffects::Wake why, Session::Handle handle);

  // A token `connack` has come back.
  void on_connack_due(Session& session);

  // A session that storage knew: for those whose home this shard is; before the first client.
  void restore(const StoredSession& stored);

 private:
  void refuse(Channel& channel, const mqtt::ConnectError& error);
  void open(Channel& channel, const mqtt::ConnectView& connect, std::string_view client_id);
  void set_will(Session& session, const mqtt::ConnectView& connect);
  void agree(Channel& channel, Session& session, const mqtt::ConnectView& connect,
             bool session_present);
  void take_over(Session& session, bool session_ends);
  void client_is_away(Session& session);
  void publish_will(Session& session);
  void end(Session& session);
  [[nodiscard]] std::uint32_t home_of(std::string_view client_id) const;
  [[nodiscard]] std::string assign_client_id();

  SessionContext& context_;
  DurableSessions& durable_;
  MessageSender& sender_;
  const Home home_;
  std::uint64_t assigned_ids_ = 0;
  std::string will_properties_;  // scratch of set_will()
};

}  // namespace hub::broker
