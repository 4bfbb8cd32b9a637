// What clients send: PUBLISH and PUBREL in, acknowledgements out.
#include <algorithm>

#include "base/log.h"
#include "broker/shard.h"

namespace hub::broker {
namespace {

// A rule may publish what another rule takes, but not for ever.
constexpr int kMaxRepublishDepth = 8;

// A client that could write there could say anything of the hub (section 4.7.2).
constexpr std::string_view kOwnTopics = "$SYS/";

}  // namespace

using mqtt::InboundFlows;
using mqtt::PacketId;
using mqtt::PacketType;
using mqtt::ReasonCode;

MessageId Shard::next_message_id() {
  return {static_cast<std::uint64_t>(wall_now_.time_since_epoch().count()),
          message_salt_ + ++message_count_};
}

Shard::Progress Shard::handle_publish(Connection::Handle handle, Connection& connection,
                                      const mqtt::FrameHeader& frame, std::string_view body) {
  const auto decoded = mqtt::decode_publish(connection.version, frame.flags, body);
  if (!decoded) {
    fail(handle, connection, decoded.error().reason, decoded.error().what);
    return Progress::stop;
  }
  if (decoded->properties.topic_alias != 0) {
    fail(handle, connection, ReasonCode::topic_alias_invalid,
         "a topic alias where CONNACK allowed none [MQTT-3.3.2-9]");
    return Progress::stop;
  }
  if (is_own_topic(decoded->topic)) {
    refuse_publish(handle, connection, *decoded);
    return Progress::next;
  }
  Session& session = *sessions_.find(connection.session);
  const Interest& interest = topics_.find(decoded->topic);

  if (decoded->qos != Qos::at_most_once) {
    // What storage cannot take now stays in the socket, and with it the promise to acknowledge.
    if (interest.sink_route != nullptr && has_to_wait(connection, session)) {
      park(handle, connection);
      return Progress::park;
    }
    switch (admit(handle, connection, session, *decoded)) {
      case Admission::take:
        break;
      case Admission::answered:
        return Progress::next;
      case Admission::failed:
        return Progress::stop;
    }
    if (interest.sink_route != nullptr && over_quota(session)) {
      // At once: no order binds the answer to a message that was not taken.
      ++counters_.publishes_over_quota;
      acknowledge(handle, connection,
                  decoded->qos == Qos::exactly_once ? PacketType::pubrec : PacketType::puback,
                  *decoded->packet_id, ReasonCode::quota_exceeded);
      return Progress::next;
    }
  }
  if (meter_ != nullptr && meter_->used_up()) {
    return refuse_for_today(handle, connection, session, *decoded);
  }
  ++counters_.publishes_received;
  counters_.publish_bytes_received += decoded->payload.size();
  if (meter_ != nullptr) {
    meter_->message(decoded->payload.size());
    meter_->device(session.client_id, session.metered_on);
  }

  MessageView view;
  view.id = next_message_id();
  view.received_at = wall_now_;
  view.topic = decoded->topic;
  view.payload = decoded->payload;
  view.client_id = session.client_id;
  view.username = session.username;
  view.qos = decoded->qos;
  view.retain = decoded->retain;
  Routed message{.view = view, .raw_properties = decoded->properties.raw};
  if (decoded->properties.message_expiry) {
    message.expires_at = wall_now_ + std::chrono::seconds{*decoded->properties.message_expiry};
  }
  const std::int64_t room = decoded->qos == Qos::at_most_once ? 0 : sink_->room_bytes();
  const bool to_commit = route(message, interest, session.handle);

  if (decoded->qos == Qos::at_most_once) return Progress::next;
  const PacketId id = *decoded->packet_id;
  const bool qos2 = decoded->qos == Qos::exactly_once;
  // Acknowledgements go in the order of their messages [MQTT-4.6.0-2], so one waits for those
  // before it even if it has nothing to commit itself.
  const bool wait = to_commit || session.unacknowledged > 0;
  if (qos2 || wait) {
    const bool durable = qos2 && to_commit && session.persistent();
    session.inbound_flows().begin(id, decoded->qos, durable);
    if (durable) mark_state_dirty(session);
  }
  if (wait) {
    const std::int64_t held = std::max<std::int64_t>(0, room - sink_->room_bytes());
    owe(session, qos2 ? Owed::pubrec : Owed::puback, id.value(),
        static_cast<std::uint32_t>(std::min<std::int64_t>(held, 0xFFFF'FFFF)));
  } else {
    if (qos2) session.inbound->pubrec(id);
    acknowledge(handle, connection, qos2 ? PacketType::pubrec : PacketType::puback, id);
  }
  return Progress::next;
}

bool Shard::is_own_topic(std::string_view topic) { return topic.starts_with(kOwnTopics); }

// MQTT 3.1.1 has no answer that refuses a publish: there it is taken and comes to nothing.
void Shard::refuse_publish(Connection::Handle handle, Connection& connection,
                           const mqtt::PublishView& publish) {
  ++counters_.publishes_refused;
  if (publish.qos == Qos::at_most_once) return;
  acknowledge(handle, connection,
              publish.qos == Qos::exactly_once ? PacketType::pubrec : PacketType::puback,
              *publish.packet_id,
              connection.version == mqtt::ProtocolVersion::v5 ? ReasonCode::topic_name_invalid
                                                              : ReasonCode::success);
}

// Whether a QoS 1 or 2 publish is a message to take, or a resend of one.
Shard::Admission Shard::admit(Connection::Handle handle, Connection& connection, Session& session,
                              const mqtt::PublishView& publish) {
  if (!session.inbound || session.inbound->size() == 0) return Admission::take;
  const PacketId id = *publish.packet_id;
  const bool qos2 = publish.qos == Qos::exactly_once;
  switch (session.inbound->arrival(id, publish.qos, publish.dup)) {
    case InboundFlows::Arrival::fresh:
      break;
    case InboundFlows::Arrival::acknowledgement_pending:
      ++counters_.publishes_duplicate;
      return Admission::answered;  // its acknowledgement is under way
    case InboundFlows::Arrival::recorded:
      ++counters_.publishes_duplicate;
      acknowledge(handle, connection, PacketType::pubrec, id);
      return Admission::answered;
    case InboundFlows::Arrival::packet_id_in_use:
      ++counters_.publishes_refused;
      if (connection.version == mqtt::ProtocolVersion::v311) {
        fail(handle, connection, ReasonCode::packet_identifier_in_use,
             "a packet id that another message of the session still has [MQTT-2.2.1-4]");
        return Admission::failed;
      }
      acknowledge(handle, connection, qos2 ? PacketType::pubrec : PacketType::puback, id,
                  ReasonCode::packet_identifier_in_use);
      return Admission::answered;
  }
  if (connection.version == mqtt::ProtocolVersion::v5 &&
      session.inbound->size() >= options_.receive_maximum) {
    fail(handle, connection, ReasonCode::receive_maximum_exceeded,
         "more publishes without answer than the receive maximum [MQTT-3.3.4-7]");
    return Admission::failed;
  }
  return Admission::take;
}

// MQTT 3.1.1 knows no answer that refuses, only the end of the connection [MQTT-3.3.5-2]: its
// client keeps a message of QoS 1 or 2, and sends it again when it is back.
Shard::Progress Shard::refuse_for_today(Connection::Handle handle, Connection& connection,
                                        const Session& session, const mqtt::PublishView& publish) {
  const bool answered = publish.qos != Qos::at_most_once;
  const bool closes = answered && connection.version == mqtt::ProtocolVersion::v311;
  if (closes && session.unacknowledged > 0) {
    park(handle, connection);  // what was taken is acknowledged first, or it would come again
    return Progress::park;
  }
  ++counters_.publishes_over_daily_cap;
  if (!answered) return Progress::next;
  if (closes) {
    detach_session(connection, Will::publish);
    start_closing(handle, connection);
    return Progress::stop;
  }
  acknowledge(handle, connection,
              publish.qos == Qos::exactly_once ? PacketType::pubrec : PacketType::puback,
              *publish.packet_id, ReasonCode::quota_exceeded);
  return Progress::next;
}

bool Shard::route(Routed& message, const Interest& interest, Session::Handle publisher) {
  ++route_serial_;
  if (!interest.matches.empty() || message.view.retain) {
    forwarded_properties_.clear();
    if (!message.raw_properties.empty()) {
      mqtt::append_forwarded_properties(forwarded_properties_, message.raw_properties);
    }
    message.properties = forwarded_properties_;
    if (message.view.retain) keep_retained(message.keep());
    deliver(message, interest.matches, publisher);
  }
  if (interest.sink_route == nullptr) return false;
  const bool outermost = republish_depth_ == 0;
  ++republish_depth_;
  bool to_commit = sink_->take(*interest.sink_route, message.view, *this);
  --republish_depth_;
  if (outermost) to_commit = route_republished() || to_commit;
  return to_commit;
}

// Called by the sink while it takes a message.
void Shard::publish(std::string_view topic, std::string_view payload, Qos qos, bool retain) {
  if (republish_depth_ > kMaxRepublishDepth) {
    ++counters_.dropped_republish_depth;
    return;
  }
  MessageView view;
  view.id = next_message_id();
  view.received_at = wall_now_;
  view.topic = topic;
  view.payload = payload;
  view.qos = qos;
  view.retain = retain;
  republished_.push_back({Message::make(view), republish_depth_});
}

bool Shard::route_republished() {
  bool to_commit = false;
  while (!republished_.empty()) {
    const Republished next = std::move(republished_.front());
    republished_.pop_front();
    republish_depth_ = next.depth;
    Routed message{.view = next.message->view(), .owned = next.message};
    to_commit = route(message, topics_.find(message.view.topic), 0) || to_commit;
  }
  republish_depth_ = 0;
  return to_commit;
}

// A message that no client waits an acknowledgement for.
void Shard::route_own(const MessageView& view, std::string_view properties,
                      std::optional<Timestamp> expires_at) {
  Routed message{.view = view, .raw_properties = properties, .expires_at = expires_at};
  route(message, topics_.find(view.topic), 0);
}

void Shard::publish_own(const std::vector<std::pair<std::string, std::string>>& messages) {
  assert_home();
  begin_turn();
  for (const auto& [topic, payload] : messages) {
    MessageView view;
    view.id = next_message_id();
    view.received_at = wall_now_;
    view.topic = topic;
    view.payload = payload;
    view.retain = true;
    const MessageRef padded = Message::make(view);
    route_own(padded->view(), {}, std::nullopt);
  }
  finish_turn();
}

void Shard::handle_pubrel(Connection::Handle handle, Connection& connection,
                          const mqtt::AckView& ack) {
  Session& session = *sessions_.find(connection.session);
  switch (session.inbound_flows().release(ack.packet_id)) {
    case InboundFlows::Release::free_now:
      session.inbound->pubcomp(ack.packet_id);
      acknowledge(handle, connection, PacketType::pubcomp, ack.packet_id);
      break;
    case InboundFlows::Release::after_commit:
      mark_state_dirty(session);
      owe(session, Owed::pubcomp, ack.packet_id.value());
      break;
    case InboundFlows::Release::waiting:
      break;
    case InboundFlows::Release::unknown:
      acknowledge(handle, connection, PacketType::pubcomp, ack.packet_id,
                  ReasonCode::packet_identifier_not_found);
      break;
  }
}

void Shard::acknowledge(Connection::Handle handle, Connection& connection, PacketType type,
                        PacketId id, ReasonCode reason) {
  ++counters_.acknowledgements_sent;
  mqtt::append_ack(connection.out(buffers_), connection.version, type, id, reason);
  mark_dirty(handle, connection);
}

void Shard::owe(Session& session, Owed owed, std::uint16_t packet_id, std::uint32_t held_bytes) {
  ++session.unacknowledged;
  session.held_bytes += held_bytes;
  sink_->acknowledge_after_commit(
      {session.handle, static_cast<std::uint32_t>(owed) << 16 | packet_id, held_bytes});
}

// What a commit was waited for goes to the connection that its session has now, if that asked.
void Shard::on_committed(std::span<const AckToken> tokens) {
  assert_home();
  begin_turn();
  room_grew_ = true;
  for (const AckToken& token : tokens) {
    const auto owed = static_cast<Owed>(token.detail >> 16);
    if (owed == Owed::forgetting) {
      forgotten_for_good();
      continue;
    }
    Session* session = sessions_.find(token.session);
    if (session == nullptr) continue;  // ended meanwhile: nobody waits any more
    --session->unacknowledged;
    session->held_bytes -= token.bytes;
    Connection* connection = connections_.find(session->connection);
    if (owed == Owed::connack) {
      if (connection != nullptr) release_output(session->connection, *connection);
      continue;
    }
    const PacketId id{static_cast<std::uint16_t>(token.detail)};
    PacketType type = PacketType::puback;
    bool asked = false;
    switch (owed) {
      case Owed::puback:
        asked = session->inbound->puback(id);
        break;
      case Owed::pubrec:
        type = PacketType::pubrec;
        asked = session->inbound->pubrec(id);
        break;
      case Owed::pubcomp:
        type = PacketType::pubcomp;
        asked = session->inbound->pubcomp(id);
        break;
      case Owed::connack:
      case Owed::forgetting:
        break;
    }
    if (connection != nullptr && asked) acknowledge(session->connection, *connection, type, id);
  }
  finish_turn();
}

}  // namespace hub::broker
