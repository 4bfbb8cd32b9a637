#include "broker/session/message_sender.h"

#include <algorithm>

#include "broker/mqtt/publish_codec.h"

namespace hub::broker {

using mqtt::PacketType;
using mqtt::ReasonCode;

namespace {

// Of one subscriber's output beyond which its queue waits: what is sent but cannot leave is only
// memory.
constexpr std::size_t kDeliveryHighWater = 256 * 1024;

std::optional<std::uint32_t> seconds_left(std::optional<Timestamp> expires_at, Timestamp now) {
  if (!expires_at) return std::nullopt;
  const auto left = std::chrono::ceil<std::chrono::seconds>(*expires_at - now).count();
  return static_cast<std::uint32_t>(std::max<std::int64_t>(left, 0));
}

std::vector<std::uint32_t> ids_of(const DeliveryTerms& terms) {
  return {terms.subscription_ids.begin(), terms.subscription_ids.end()};
}

}  // namespace

bool MessageSender::output_has_room(const Channel& channel) const {
  return context_.clients.unsent_bytes(channel) < kDeliveryHighWater;
}

void MessageSender::deliver(Session& session, RoutedMessage& message, const DeliveryTerms& terms) {
  const Qos qos = std::min(message.view.qos, terms.qos);
  const bool retain = message.view.retain && terms.retain_as_published;
  Channel* const channel = session.channel;
  if (qos == Qos::at_most_once) {
    if (channel == nullptr) return;  // QoS 0 is for those who listen
    if (context_.clients.unsent_bytes(*channel) > context_.options.max_outbound_bytes) {
      ++context_.counters.dropped_slow_subscriber;
      return;
    }
    if (terms.subscription_ids.empty()) {
      send_shared(*channel, message, qos, retain, {});
    } else {
      send(*channel, {message.keep(), qos, retain, ids_of(terms)}, {}, false);
    }
    return;
  }
  OutboundFlows& flows = session.outbound_flows();
  Delivery delivery{message.keep(), qos, retain, ids_of(terms)};
  if (channel == nullptr || !flows.can_send() || !output_has_room(*channel)) {
    enqueue(session, std::move(delivery));
    return;
  }
  const OutboundFlows::Flow& flow = flows.start(std::move(delivery));
  if (terms.subscription_ids.empty()) {
    send_shared(*channel, message, qos, retain, flow.id);
  } else {
    send(*channel, flow.delivery, flow.id, false);
  }
}

void MessageSender::enqueue(Session& session, Delivery delivery) {
  OutboundFlows& flows = *session.outbound;
  if (flows.queued() >= context_.options.max_queued_messages ||
      flows.queued_bytes() + delivery.message->bytes() > context_.options.max_queued_bytes) {
    ++context_.counters.dropped_queue_full;
    return;
  }
  flows.enqueue(std::move(delivery));
}

// One encoding per protocol version, QoS and retain flag serves all subscribers of a message.
void MessageSender::send_shared(Channel& channel, RoutedMessage& message, Qos qos, bool retain,
                                std::optional<PacketId> id) {
  SharedEncoding& shared = shared_encodings_[channel.version == mqtt::ProtocolVersion::v5]
                                            [static_cast<int>(qos)][retain];
  if (shared.serial != message.serial) {
    shared.serial = message.serial;
    shared.bytes.clear();
    shared.packet_id_offset =
        mqtt::append_publish(
            shared.bytes, channel.version,
            {.topic = message.view.topic,
             .payload = message.view.payload,
             .qos = qos,
             .retain = retain,
             .properties = message.properties,
             .message_expiry = seconds_left(message.expires_at, context_.time.wall),
             .subscription_ids = {}})
            .packet_id_offset;
  }
  if (shared.bytes.empty() || shared.bytes.size() > channel.max_packet_to_client) {
    drop_too_large(channel, id);
    return;
  }
  std::string& out = context_.clients.output(channel);
  const std::size_t at = out.size();
  out.append(shared.bytes);
  if (id) mqtt::patch_packet_id(out.data() + at, shared.packet_id_offset, *id);
  count(message.view.payload.size());
}

void MessageSender::send(Channel& channel, const Delivery& delivery, std::optional<PacketId> id,
                         bool dup) {
  const Message& message = *delivery.message;
  std::string& out = context_.clients.output(channel);
  const std::size_t at = out.size();
  const mqtt::EncodedPublish encoded = mqtt::append_publish(
      out, channel.version,
      {.topic = message.view().topic,
       .payload = message.view().payload,
       .qos = delivery.qos,
       .dup = dup,
       .retain = delivery.retain,
       .properties = message.properties(),
       .message_expiry = seconds_left(message.expires_at(), context_.time.wall),
       .subscription_ids = delivery.subscription_ids});
  if (encoded.packet_bytes == 0 || encoded.packet_bytes > channel.max_packet_to_client) {
    out.resize(at);
    drop_too_large(channel, id);
    return;
  }
  if (id) mqtt::patch_packet_id(out.data() + at, encoded.packet_id_offset, *id);
  count(message.view().payload.size());
}

void MessageSender::count(std::size_t payload_bytes) {
  ++context_.counters.deliveries_sent;
  if (context_.meter != nullptr) context_.meter->message(payload_bytes);
}

// As if it had been sent and acknowledged [MQTT-3.1.2-25].
void MessageSender::drop_too_large(Channel& channel, std::optional<PacketId> id) {
  ++context_.counters.dropped_too_large;
  if (!id) return;
  OutboundFlows& flows = *channel.session->outbound;
  if (!flows.puback(*id)) flows.refuse(*id);
}

void MessageSender::resume(Channel& channel, Session& session) {
  if (!session.outbound) return;
  session.outbound->resume([&](PacketId id) {
    mqtt::append_ack(context_.clients.output(channel), channel.version, PacketType::pubrel, id);
  });
  send_waiting(session);
}

void MessageSender::send_waiting(Session& session) {
  Channel& channel = *session.channel;
  OutboundFlows& flows = *session.outbound;
  while (output_has_room(channel)) {
    const OutboundFlows::Flow* flow = flows.next_resend();
    if (flow == nullptr) break;
    // A copy: a packet that is too large for the client finishes the flow at once.
    const Delivery delivery = flow->delivery;
    send(channel, delivery, flow->id, true);
  }
  while (const Delivery* next = flows.next_queued()) {
    if (next->message->expired(context_.time.wall)) {
      ++context_.counters.dropped_expired;
      flows.drop_next_queued();
      continue;
    }
    if (!output_has_room(channel)) return;
    const OutboundFlows::Flow* flow = flows.start_next();
    if (flow == nullptr) return;
    const Delivery delivery = flow->delivery;  // a copy, as above
    send(channel, delivery, flow->id, false);
  }
}

void MessageSender::on_ack(Session& session, PacketType type, const mqtt::AckView& ack) {
  OutboundFlows& flows = session.outbound_flows();
  const PacketId id = ack.packet_id;
  if (type == PacketType::puback) {
    flows.puback(id);
  } else if (type == PacketType::pubcomp) {
    flows.pubcomp(id);
  } else if (mqtt::is_failure(ack.reason)) {
    flows.refuse(id);  // [MQTT-4.3.3-4]
  } else {
    const bool known = flows.pubrec(id);
    ++context_.counters.acknowledgements_sent;
    mqtt::append_ack(context_.clients.output(*session.channel), session.channel->version,
                     PacketType::pubrel, id,
                     known ? ReasonCode::success : ReasonCode::packet_identifier_not_found);
  }
  if (flows.waiting()) send_waiting(session);
}

}  // namespace hub::broker
