#pragma once

#include <cstdint>
#include <string_view>

#include "broker/mqtt/framer.h"
#include "broker/session/durable_sessions.h"
#include "broker/session/message_sender.h"
#include "broker/session/progress.h"
#include "broker/session/publish_receiver.h"
#include "broker/session/session_context.h"
#include "broker/session/session_lifecycle.h"
#include "broker/session/subscription_handler.h"

namespace hub::broker {

// A shard's sessions in the protocol's terms: takes what clients send and what the shard learns,
// and says by the effects (effects.h) what is to happen. The way in to everything of this folder.
//
// Has no socket, clock or thread: the same calls at the same times give the same effects.
class PacketHandler {
 public:
  // The interfaces, the options, the counters and the time outlive the handler.
  PacketHandler(const SessionOptions& options, SessionCounters& counters, const TurnTime& time,
                ClientEffects& clients, RoutingEffects& routing, ShardEffects& shard,
                const SessionLifecycle::Home& home);

  // Before the first client; null: nobody wants to know.
  void set_meter(Meter* meter) { context_.meter = meter; }
  void restore(const StoredSession& stored) { lifecycle_.restore(stored); }

  // All that is there of a client's bytes: kPayloadPadding more are readable past their end.
  // Returns how many were used up: the rest is an incomplete packet, or one that has to wait.
  std::size_t on_bytes(Channel& channel, std::string_view bytes);
  // Of on_bytes(): what stands from the packet on that is being handled, to its end. For
  // ClientEffects::hand_over().
  [[nodiscard]] std::string_view input_from_packet() const noexcept { return input_; }
  // How much to read of a client that may have to wait for room, so that it stays with its sender.
  // 0: the packet of which on_bytes() has left a part has to wait. Else what that lacks, or
  // `otherwise` where it is not known.
  [[nodiscard]] std::size_t readable_bytes(const Channel& channel, std::string_view unread,
                                           std::size_t otherwise) const;
  // Its output is sent: what waits for that may go on.
  void on_output_sent(Channel& channel);
  // The connection is gone, or the shard ends it: the session goes on without.
  void on_connection_lost(Channel& channel, SessionLifecycle::Will will) {
    lifecycle_.detach(channel, will);
  }
  // read: the connection is being read.
  void on_keep_alive(Channel& channel, bool read);
  void on_wake(ShardEffects::Wake why, Session::Handle session) {
    lifecycle_.on_wake(why, session);
  }
  // Whether that wake_at() still matters.
  [[nodiscard]] bool is_wanted(ShardEffects::Wake why, Session::Handle session,
                               SteadyTime at) const;
  // The shard ends the connection of a client that is told why.
  void disconnect(Channel& channel, mqtt::ReasonCode reason);

  void on_interest_known(std::uint64_t request) { subscriptions_.on_interest_known(request); }
  void deliver_retained(Session::Handle session, RoutedMessage& message,
                        const DeliveryTerms& terms);
  [[nodiscard]] Subscribers& subscribers() noexcept { return sender_; }

  void on_batch_closing() { durable_.on_batch_closing(); }
  void on_durable(const AckToken& token);

  [[nodiscard]] std::size_t session_count() const noexcept { return sessions_.size(); }

 private:
  [[nodiscard]] Handled handle(Channel& channel, const mqtt::FrameHeader& frame,
                               std::string_view body);
  [[nodiscard]] Handled handle_ack(Channel& channel, mqtt::PacketType type, std::string_view body);
  // Of an incomplete packet, by as much as there is.
  [[nodiscard]] bool has_to_wait(const Channel& channel, const mqtt::FrameHeader& frame,
                                 std::string_view bytes) const;
  void fail(Channel& channel, const mqtt::DecodeError& error);
  void close(Channel& channel, SessionLifecycle::Will will);

  Sessions sessions_;
  SessionContext context_;
  DurableSessions durable_{context_};
  MessageSender sender_{context_};
  PublishReceiver receiver_{context_, durable_};
  SubscriptionHandler subscriptions_{context_, durable_};
  SessionLifecycle lifecycle_;
  std::string_view input_;
};

}  // namespace hub::broker
