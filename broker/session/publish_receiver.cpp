#include "broker/session/publish_receiver.h"

#include <algorithm>

#include "base/topic.h"

namespace hub::broker {

using mqtt::PacketType;
using mqtt::ReasonCode;

namespace {

constexpr std::string_view kOwnTopics = "$SYS/";

bool is_v5(const Channel& channel) { return channel.version == mqtt::ProtocolVersion::v5; }

PacketType first_answer(Qos qos) {
  return qos == Qos::exactly_once ? PacketType::pubrec : PacketType::puback;
}

}  // namespace

bool PublishReceiver::is_own_topic(std::string_view topic) { return topic.starts_with(kOwnTopics); }

Handled PublishReceiver::on_publish(Channel& channel, const mqtt::FrameHeader& frame,
                                    std::string_view body) {
  const auto decoded = mqtt::decode_publish(channel.version, frame.flags, body);
  if (!decoded) return decoded.error();
  const mqtt::PublishView& publish = *decoded;
  if (publish.properties.topic_alias != 0) {
    return mqtt::DecodeError{ReasonCode::topic_alias_invalid, 0,
                             "a topic alias where CONNACK allowed none [MQTT-3.3.2-9]"};
  }
  if (is_own_topic(publish.topic)) {
    ++context_.counters.publishes_refused;
    // MQTT 3.1.1 has no answer that refuses a publish: there it is taken and comes to nothing.
    answer(channel, publish, is_v5(channel) ? ReasonCode::topic_name_invalid : ReasonCode::success);
    return Progress::next;
  }
  Session& session = *channel.session;
  const RoutingEffects::Destination destination = context_.routing.destination(publish.topic);

  if (publish.qos != Qos::at_most_once) {
    // What storage cannot take now stays unread, and with it the promise to acknowledge.
    if (destination.stored &&
        share_.has_to_wait(session, channel.version, context_.shard.room_bytes(),
                           context_.shard.parked_bytes())) {
      context_.clients.wait_for_room(channel);
      return Progress::park;
    }
    const auto admission = admit(channel, session, publish);
    if (!admission) return admission.error();
    if (*admission == Admission::answered) return Progress::next;
    if (destination.stored && share_.over_quota(session)) {
      // At once: no order binds the answer to a message that was not taken.
      ++context_.counters.publishes_over_quota;
      answer(channel, publish, ReasonCode::quota_exceeded);
      return Progress::next;
    }
  }
  if (context_.meter != nullptr && context_.meter->used_up()) {
    return refuse_for_today(channel, session, publish);
  }
  take(channel, session, publish, destination);
  return Progress::next;
}

bool PublishReceiver::will_have_to_wait(const Channel& channel, const mqtt::FrameHeader& frame,
                                        std::string_view body) const {
  if (mqtt::publish_qos(frame.flags) == Qos::at_most_once ||
      !share_.has_to_wait(*channel.session, channel.version, context_.shard.room_bytes(),
                          context_.shard.parked_bytes())) {
    return false;
  }
  const auto topic = mqtt::peek_publish_topic(body);
  // What is no topic name is not looked up: decode_publish() refuses it once it is whole.
  return topic && is_valid_topic_name(*topic) && !is_own_topic(*topic) &&
         context_.routing.destination(*topic).stored;
}

void PublishReceiver::take(Channel& channel, Session& session, const mqtt::PublishView& publish,
                           const RoutingEffects::Destination& destination) {
  ++context_.counters.publishes_received;
  context_.counters.publish_bytes_received += publish.payload.size();
  if (context_.meter != nullptr) {
    context_.meter->message(publish.payload.size());
    context_.meter->device(session.client_id, session.metered_on);
  }
  MessageView view = context_.routing.new_message();
  view.topic = publish.topic;
  view.payload = publish.payload;
  view.client_id = session.client_id;
  view.username = session.username;
  view.qos = publish.qos;
  view.retain = publish.retain;
  RoutedMessage message{.view = view, .raw_properties = publish.properties.raw};
  if (publish.properties.message_expiry) {
    message.expires_at =
        view.received_at + std::chrono::seconds{*publish.properties.message_expiry};
  }
  if (publish.qos == Qos::at_most_once) {
    context_.routing.route(message, destination.interest, session.handle);
    return;
  }
  const std::int64_t room = context_.shard.room_bytes();
  const bool to_commit = context_.routing.route(message, destination.interest, session.handle);

  const PacketId id = *publish.packet_id;
  const bool qos2 = publish.qos == Qos::exactly_once;
  // Acknowledgements go in the order of their messages [MQTT-4.6.0-2], so one waits for those
  // before it even if it has nothing to commit itself.
  const bool wait = to_commit || session.unacknowledged > 0;
  if (qos2 || wait) {
    const bool durable = qos2 && to_commit && session.persistent();
    session.inbound_flows().begin(id, publish.qos, durable);
    // Before the token is given: the id must be in the batch that the token comes back with.
    if (durable) durable_.mark(session);
  }
  if (wait) {
    const std::int64_t held = std::max<std::int64_t>(0, room - context_.shard.room_bytes());
    owe(session, qos2 ? AckToken::Owed::pubrec : AckToken::Owed::puback, id,
        static_cast<std::uint32_t>(std::min<std::int64_t>(held, 0xFFFF'FFFF)));
  } else {
    if (qos2) session.inbound->pubrec(id);
    acknowledge(channel, first_answer(publish.qos), id);
  }
}

// Whether a QoS 1 or 2 publish is a message to take, or a resend of one.
mqtt::DecodeResult<PublishReceiver::Admission> PublishReceiver::admit(
    Channel& channel, Session& session, const mqtt::PublishView& publish) {
  if (!session.inbound || session.inbound->size() == 0) return Admission::take;
  const PacketId id = *publish.packet_id;
  switch (session.inbound->arrival(id, publish.qos, publish.dup)) {
    case InboundFlows::Arrival::fresh:
      break;
    case InboundFlows::Arrival::acknowledgement_pending:
      ++context_.counters.publishes_duplicate;
      return Admission::answered;  // its acknowledgement is under way
    case InboundFlows::Arrival::recorded:
      ++context_.counters.publishes_duplicate;
      acknowledge(channel, PacketType::pubrec, id);
      return Admission::answered;
    case InboundFlows::Arrival::packet_id_in_use:
      ++context_.counters.publishes_refused;
      if (!is_v5(channel)) {
        return mqtt::DecodeError{
            ReasonCode::packet_identifier_in_use, 0,
            "a packet id that another message of the session still has [MQTT-2.2.1-4]"};
      }
      answer(channel, publish, ReasonCode::packet_identifier_in_use);
      return Admission::answered;
  }
  if (is_v5(channel) && session.inbound->size() >= context_.options.receive_maximum) {
    return mqtt::DecodeError{
        ReasonCode::receive_maximum_exceeded, 0,
        "more publishes without answer than the receive maximum [MQTT-3.3.4-7]"};
  }
  return Admission::take;
}

// MQTT 3.1.1 knows no answer that refuses, only the end of the connection [MQTT-3.3.5-2]: its
// client keeps a message of QoS 1 or 2, and sends it again when it is back.
Progress PublishReceiver::refuse_for_today(Channel& channel, const Session& session,
                                           const mqtt::PublishView& publish) {
  const bool answered = publish.qos != Qos::at_most_once;
  const bool closes = answered && !is_v5(channel);
  if (closes && session.unacknowledged > 0) {
    // What was taken is acknowledged first, or it would come again.
    context_.clients.wait_for_room(channel);
    return Progress::park;
  }
  ++context_.counters.publishes_over_daily_cap;
  if (closes) return Progress::close;
  answer(channel, publish, ReasonCode::quota_exceeded);
  return Progress::next;
}

void PublishReceiver::on_pubrel(Session& session, const mqtt::AckView& ack) {
  const PacketId id = ack.packet_id;
  switch (session.inbound_flows().release(id)) {
    case InboundFlows::Release::free_now:
      session.inbound->pubcomp(id);
      acknowledge(*session.channel, PacketType::pubcomp, id);
      break;
    case InboundFlows::Release::after_commit:
      durable_.mark(session);
      owe(session, AckToken::Owed::pubcomp, id);
      break;
    case InboundFlows::Release::waiting:
      break;
    case InboundFlows::Release::unknown:
      acknowledge(*session.channel, PacketType::pubcomp, id,
                  ReasonCode::packet_identifier_not_found);
      break;
  }
}

void PublishReceiver::answer(Channel& channel, const mqtt::PublishView& publish,
                             ReasonCode reason) {
  if (publish.qos == Qos::at_most_once) return;
  acknowledge(channel, first_answer(publish.qos), *publish.packet_id, reason);
}

void PublishReceiver::acknowledge(Channel& channel, PacketType type, PacketId id,
                                  ReasonCode reason) {
  ++context_.counters.acknowledgements_sent;
  mqtt::append_ack(context_.clients.output(channel), channel.version, type, id, reason);
}

void PublishReceiver::owe(Session& session, AckToken::Owed owed, PacketId id,
                          std::uint32_t held_bytes) {
  ++session.unacknowledged;
  session.held_bytes += held_bytes;
  context_.shard.acknowledge_after_commit(
      {.session = session.handle, .bytes = held_bytes, .packet_id = id.value(), .owed = owed});
}

void PublishReceiver::on_durable(Session& session, const AckToken& token) {
  --session.unacknowledged;
  session.held_bytes -= token.bytes;
  const PacketId id{token.packet_id};
  PacketType type = PacketType::puback;
  bool asked = false;
  if (token.owed == AckToken::Owed::puback) {
    asked = session.inbound->puback(id);
  } else if (token.owed == AckToken::Owed::pubrec) {
    type = PacketType::pubrec;
    asked = session.inbound->pubrec(id);
  } else {
    type = PacketType::pubcomp;
    asked = session.inbound->pubcomp(id);
  }
  if (session.channel != nullptr && asked) acknowledge(*session.channel, type, id);
}

}  // namespace hub::broker
