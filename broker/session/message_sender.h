#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "broker/mqtt/ack_codec.h"
#include "broker/session/progress.h"
#include "broker/session/session_context.h"

namespace hub::broker {

// What clients receive: deliveries out, their acknowledgements in (MQTT 5.0 section 4.3, the
// sender's half), within what a client's quota, its socket and the session's queue allow.
class MessageSender final : public Subscribers {
 public:
  explicit MessageSender(SessionContext& context) : context_(context) {}

  // Subscribers
  void deliver(std::uint32_t slot, RoutedMessage& message, const DeliveryTerms& terms) override {
    deliver(context_.sessions.at_slot(slot), message, terms);
  }
  void deliver(Session& session, RoutedMessage& message, const DeliveryTerms& terms);

  // The session has a client again: what was sent and not acknowledged goes again, in its order,
  // before anything new [MQTT-4.4.0-1].
  void resume(Channel& channel, Session& session);
  // What waits in the session's queue goes as far as quota and socket allow. REQUIRES
  // session.outbound and session.channel.
  void send_waiting(Session& session);

  // PUBACK, PUBREC or PUBCOMP of the client, to what it was sent.
  void on_ack(Session& session, mqtt::PacketType type, const mqtt::AckView& ack);

 private:
  // The encodings of one message, made when first needed.
  struct SharedEncoding {
    std::uint64_t serial = 0;  // of the message
    std::string bytes;
    std::size_t packet_id_offset = 0;
  };

  void enqueue(Session& session, Delivery delivery);
  void send(Channel& channel, const Delivery& delivery, std::optional<PacketId> id, bool dup);
  void send_shared(Channel& channel, RoutedMessage& message, Qos qos, bool retain,
                   std::optional<PacketId> id);
  void drop_too_large(Channel& channel, std::optional<PacketId> id);
  void count(std::size_t payload_bytes);
  [[nodiscard]] bool output_has_room(const Channel& channel) const;

  SessionContext& context_;
  SharedEncoding shared_encodings_[2][3][2];  // version, QoS, retain
};

}  // namespace hub::broker
