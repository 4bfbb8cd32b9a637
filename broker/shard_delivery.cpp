// What clients receive: deliveries out, their acknowledgements in.
#include <algorithm>

#include "broker/shard.h"

namespace hub::broker {
namespace {

// Of one subscriber's output beyond which its queue waits: what is sent but cannot leave is only
// memory.
constexpr std::size_t kDeliveryHighWater = 256 * 1024;

std::optional<std::uint32_t> seconds_left(std::optional<Timestamp> expires_at, Timestamp now) {
  if (!expires_at) return std::nullopt;
  const auto left = std::chrono::ceil<std::chrono::seconds>(*expires_at - now).count();
  return static_cast<std::uint32_t>(std::max<std::int64_t>(left, 0));
}

}  // namespace

using mqtt::OutboundFlows;
using mqtt::PacketId;
using mqtt::PacketType;
using mqtt::ReasonCode;

void Shard::deliver(Routed& message, const Matches& matches, Session::Handle publisher) {
  if (const std::uint64_t remote = matches.remote_shards(); remote != 0) {
    for (std::uint32_t shard = 0; shard < shard_count_; ++shard) {
      if ((remote >> shard & 1) == 0) continue;
      bursts_[shard].push_back({.message = message.keep(), .deliver = true});
      burst_bytes_ += message.keep()->bytes();
    }
  }
  deliver_here(message, matches, publisher);
}

// publisher: 0 when it is not a client of this shard.
void Shard::deliver_here(Routed& message, const Matches& matches, Session::Handle publisher) {
  const auto is_own = [publisher](Subscription subscription) {  // [MQTT-3.8.3-3]
    return subscription.no_local() && publisher != 0 &&
           subscription.subscriber() == static_cast<std::uint32_t>(publisher);
  };
  if (matches.filters().size() == 1) {  // then no session is there twice
    for (const Subscription subscription : matches.filters()[0]->subscriptions()) {
      if (is_own(subscription)) continue;
      const std::uint32_t id = subscription.identifier();
      deliver_to(sessions_.at_slot(subscription.subscriber()), message,
                 {subscription.qos(), subscription.retain_as_published(), {&id, id != 0}});
    }
    return;
  }
  overlapping_.clear();
  for (const RoutedFilter* filter : matches.filters()) {
    for (const Subscription subscription : filter->subscriptions()) {
      if (!is_own(subscription)) overlapping_.push_back(subscription);
    }
  }
  std::sort(overlapping_.begin(), overlapping_.end(),
            [](Subscription a, Subscription b) { return a.subscriber() < b.subscriber(); });
  for (auto it = overlapping_.begin(); it != overlapping_.end();) {
    const std::uint32_t slot = it->subscriber();
    Target target;
    subscription_ids_.clear();
    for (; it != overlapping_.end() && it->subscriber() == slot; ++it) {
      target.qos = std::max(target.qos, it->qos());
      target.retain_as_published |= it->retain_as_published();
      if (it->identifier() != 0) subscription_ids_.push_back(it->identifier());
    }
    target.subscription_ids = subscription_ids_;
    deliver_to(sessions_.at_slot(slot), message, target);
  }
}

void Shard::receive(std::vector<RemoteMessage> burst) {
  assert_home();
  begin_turn();
  for (const RemoteMessage& remote : burst) {
    if (remote.retain) keep_retained(remote.message);
    if (!remote.deliver) continue;
    ++route_serial_;
    Routed message{.view = remote.message->view(),
                   .properties = remote.message->properties(),
                   .expires_at = remote.message->expires_at(),
                   .owned = remote.message};
    deliver_here(message, topics_.find(message.view.topic).matches, 0);
  }
  finish_turn();
}

bool Shard::output_has_room(const Connection& connection) const {
  return connection.unsent_bytes() < kDeliveryHighWater;
}

void Shard::deliver_to(Session& session, Routed& message, const Target& target) {
  const Qos qos = std::min(message.view.qos, target.qos);
  const bool retain = message.view.retain && target.retain_as_published;
  Connection* connection = connections_.find(session.connection);
  if (qos == Qos::at_most_once) {
    if (connection == nullptr) return;  // QoS 0 is for those who listen
    if (connection->unsent_bytes() > options_.max_outbound_bytes) {
      ++counters_.dropped_slow_subscriber;
      return;
    }
    if (target.subscription_ids.empty()) {
      append_shared(session.connection, *connection, message, qos, retain, {});
    } else {
      send_delivery(session.connection, *connection, {message.keep(), qos, retain, ids_of(target)},
                    {}, false);
    }
    return;
  }
  if (!session.outbound) {
    session.outbound = std::make_unique<OutboundFlows>();
    session.outbound->set_send_quota(session.send_quota);
  }
  mqtt::Delivery delivery{message.keep(), qos, retain, ids_of(target)};
  if (connection == nullptr || !session.outbound->can_send() || !output_has_room(*connection)) {
    enqueue(session, std::move(delivery));
    return;
  }
  const OutboundFlows::Flow& flow = session.outbound->start(std::move(delivery));
  if (target.subscription_ids.empty()) {
    append_shared(session.connection, *connection, message, qos, retain, flow.id);
  } else {
    send_delivery(session.connection, *connection, flow.delivery, flow.id, false);
  }
}

bool Shard::enqueue(Session& session, mqtt::Delivery delivery) {
  OutboundFlows& flows = *session.outbound;
  if (flows.queued() >= options_.max_queued_messages ||
      flows.queued_bytes() + delivery.message->bytes() > options_.max_queued_bytes) {
    ++counters_.dropped_queue_full;
    return false;
  }
  flows.enqueue(std::move(delivery));
  return true;
}

// One encoding per protocol version, QoS and retain flag serves all subscribers of a message.
void Shard::append_shared(Connection::Handle handle, Connection& connection, Routed& message,
                          Qos qos, bool retain, std::optional<PacketId> id) {
  SharedEncoding& shared = shared_encodings_[connection.version == mqtt::ProtocolVersion::v5]
                                            [static_cast<int>(qos)][retain];
  if (shared.serial != route_serial_) {
    shared.serial = route_serial_;
    shared.bytes.clear();
    shared.packet_id_offset =
        mqtt::append_publish(shared.bytes, connection.version,
                             {.topic = message.view.topic,
                              .payload = message.view.payload,
                              .qos = qos,
                              .retain = retain,
                              .properties = message.properties,
                              .message_expiry = seconds_left(message.expires_at, wall_now_),
                              .subscription_ids = {}})
            .packet_id_offset;
  }
  if (shared.bytes.empty() || shared.bytes.size() > connection.max_packet_to_client) {
    drop_too_large(connection, id);
    return;
  }
  std::string& out = connection.out(buffers_);
  const std::size_t at = out.size();
  out.append(shared.bytes);
  if (id) mqtt::patch_packet_id(out.data() + at, shared.packet_id_offset, *id);
  ++counters_.deliveries_sent;
  if (meter_ != nullptr) meter_->message(message.view.payload.size());
  mark_dirty(handle, connection);
}

void Shard::send_delivery(Connection::Handle handle, Connection& connection,
                          const mqtt::Delivery& delivery, std::optional<PacketId> id, bool dup) {
  const Message& message = *delivery.message;
  std::string& out = connection.out(buffers_);
  const std::size_t at = out.size();
  const mqtt::EncodedPublish encoded =
      mqtt::append_publish(out, connection.version,
                           {.topic = message.view().topic,
                            .payload = message.view().payload,
                            .qos = delivery.qos,
                            .dup = dup,
                            .retain = delivery.retain,
                            .properties = message.properties(),
                            .message_expiry = seconds_left(message.expires_at(), wall_now_),
                            .subscription_ids = delivery.subscription_ids});
  if (encoded.packet_bytes == 0 || encoded.packet_bytes > connection.max_packet_to_client) {
    out.resize(at);
    drop_too_large(connection, id);
    return;
  }
  if (id) mqtt::patch_packet_id(out.data() + at, encoded.packet_id_offset, *id);
  ++counters_.deliveries_sent;
  if (meter_ != nullptr) meter_->message(message.view().payload.size());
  mark_dirty(handle, connection);
}

// As if it had been sent and acknowledged [MQTT-3.1.2-25].
void Shard::drop_too_large(Connection& connection, std::optional<PacketId> id) {
  ++counters_.dropped_too_large;
  if (!id) return;
  OutboundFlows& flows = *sessions_.find(connection.session)->outbound;
  if (!flows.puback(*id)) flows.refuse(*id);
}

// What waited goes as far as the client's quota and its socket allow.
void Shard::send_waiting(Connection::Handle handle, Connection& connection, Session& session) {
  OutboundFlows& flows = *session.outbound;
  while (output_has_room(connection)) {
    const OutboundFlows::Flow* flow = flows.next_resend();
    if (flow == nullptr) break;
    // A copy: a packet that is too large for the client finishes the flow at once.
    const mqtt::Delivery delivery = flow->delivery;
    send_delivery(handle, connection, delivery, flow->id, true);
  }
  while (const mqtt::Delivery* next = flows.next_queued()) {
    if (next->message->expired(wall_now_)) {
      ++counters_.dropped_expired;
      flows.drop_next_queued();
      continue;
    }
    if (!output_has_room(connection)) return;
    const OutboundFlows::Flow* flow = flows.start_next();
    if (flow == nullptr) return;
    const mqtt::Delivery delivery = flow->delivery;  // a copy, as above
    send_delivery(handle, connection, delivery, flow->id, false);
  }
}

void Shard::handle_ack(Connection::Handle handle, Connection& connection, PacketType type,
                       std::string_view body) {
  const auto ack = mqtt::decode_ack(connection.version, type, body);
  if (!ack) {
    fail(handle, connection, ack.error().reason, ack.error().what);
    return;
  }
  if (type == PacketType::pubrel) {
    handle_pubrel(handle, connection, *ack);
    return;
  }
  Session& session = *sessions_.find(connection.session);
  if (!session.outbound) session.outbound = std::make_unique<OutboundFlows>();
  OutboundFlows& flows = *session.outbound;
  const PacketId id = ack->packet_id;
  switch (type) {
    case PacketType::puback:
      flows.puback(id);
      break;
    case PacketType::pubcomp:
      flows.pubcomp(id);
      break;
    case PacketType::pubrec:
      if (mqtt::is_failure(ack->reason)) {
        flows.refuse(id);  // [MQTT-4.3.3-4]
      } else {
        const bool known = flows.pubrec(id);
        acknowledge(handle, connection, PacketType::pubrel, id,
                    known ? ReasonCode::success : ReasonCode::packet_identifier_not_found);
      }
      break;
    default:
      break;
  }
  if (flows.waiting()) send_waiting(handle, connection, session);
}

}  // namespace hub::broker
