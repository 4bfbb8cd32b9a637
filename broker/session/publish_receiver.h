#pragma once

#include <string_view>

#include "broker/mqtt/ack_codec.h"
#include "broker/mqtt/framer.h"
#include "broker/mqtt/publish_codec.h"
#include "broker/session/durable_sessions.h"
#include "broker/session/progress.h"
#include "broker/session/session_context.h"
#include "broker/session/storage_share.h"

namespace hub::broker {

// What clients send: PUBLISH and PUBREL in, acknowledgements out (MQTT 5.0 section 4.3, the
// receiver's half), each once what it stands for is durable.
class PublishReceiver {
 public:
  PublishReceiver(SessionContext& context, DurableSessions& durable)
      : context_(context), durable_(durable), share_(context.options.max_held_bytes) {}

  // REQUIRES an open channel.
  [[nodiscard]] Handled on_publish(Channel& channel, const mqtt::FrameHeader& frame,
                                   std::string_view body);
  // Of a PUBLISH of which only a part has come: whether it would have to wait for storage, so that
  // the rest need not be read now. `body` as much as is there.
  [[nodiscard]] bool will_have_to_wait(const Channel& channel, const mqtt::FrameHeader& frame,
                                       std::string_view body) const;
  // REQUIRES session.channel.
  void on_pubrel(Session& session, const mqtt::AckView& ack);

  // A token of a session that is there has come back: what it owes goes to the connection that the
  // session has now, if that asked. REQUIRES token.owed to be one of the three acknowledgements.
  void on_durable(Session& session, const AckToken& token);

  // Whether it is below $SYS, where no client may publish: it could say anything of the hub
  // (section 4.7.2).
  [[nodiscard]] static bool is_own_topic(std::string_view topic);

 private:
  enum class Admission : std::uint8_t { take, answered };

  [[nodiscard]] mqtt::DecodeResult<Admission> admit(Channel& channel, Session& session,
                                                    const mqtt::PublishView& publish);
  [[nodiscard]] Progress refuse_for_today(Channel& channel, const Session& session,
                                          const mqtt::PublishView& publish);
  void take(Channel& channel, Session& session, const mqtt::PublishView& publish,
            const RoutingEffects::Destination& destination);
  // Answers a QoS 1 or 2 publish that is not taken; nothing at QoS 0. reason: `success` for MQTT
  // 3.1.1, which has no other.
  void answer(Channel& channel, const mqtt::PublishView& publish, mqtt::ReasonCode reason);
  void acknowledge(Channel& channel, mqtt::PacketType type, PacketId id,
                   mqtt::ReasonCode reason = mqtt::ReasonCode::success);
  void owe(Session& session, AckToken::Owed owed, PacketId id, std::uint32_t held_bytes = 0);

  SessionContext& context_;
  DurableSessions& durable_;
  const StorageShare share_;
};

}  // namespace hub::broker
