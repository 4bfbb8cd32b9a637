#include "tests/support/durable_device.h"

#include <fmt/format.h>

#include <stdexcept>

#include "broker/mqtt/reason_code.h"

namespace hub::test {

using mqtt::PacketType;
using mqtt::ProtocolVersion;
using mqtt::ReasonCode;

namespace {

constexpr std::chrono::milliseconds kGlance{4};
constexpr std::uint16_t kSubscribeId = 60'000;
constexpr std::uint16_t kMaxId = 50'000;

// The hub broke the standard or a promise.
struct Misbehaviour : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace

DurableDevice::DurableDevice(Options options, Make make)
    : options_(std::move(options)), make_(std::move(make)) {}

void DurableDevice::forget_records() {
  first_number_ += records_.size();
  records_.clear();
}

DurableDevice::End DurableDevice::run(std::uint16_t port, const std::function<Step()>& next) {
  trouble_.clear();
  try {
    RawMqttClient client = open_connection(port);
    for (;;) {
      switch (next()) {
        case Step::publish:
          publish(client, Qos::at_most_once);
          break;
        case Step::publish_sure:
          publish(client, Qos::at_least_once);
          break;
        case Step::wait:
          break;
        case Step::drain:
          if (open_.empty()) return End::drained;
          break;
        case Step::disconnect:
          client.send(mqtt::client::encode_disconnect(options_.version));
          return End::left;
        case Step::vanish:
          return End::left;
        case Step::take_over:
          client = open_connection(port);
          break;
      }
      if (!take(client)) return End::sent_away;
    }
  } catch (const Misbehaviour& what) {
    trouble_ = what.what();
    return End::misbehaved;
  } catch (const std::runtime_error& error) {
    trouble_ = error.what();
    return End::lost;
  }
}

RawMqttClient DurableDevice::open_connection(std::uint16_t port) {
  RawMqttClient client{port, options_.version};
  const mqtt::client::Connack connack = client.connect(options_.client_id, false, 3'600);
  if (connack.code != 0) {
    throw Misbehaviour(fmt::format("CONNECT was refused with code {}", connack.code));
  }
  if (!connack.session_present) {
    if (session_is_durable_) throw Misbehaviour("the hub has lost a session that had committed");
    first_after_suback_ = 0;
  }
  // In the order in which they were first sent [MQTT-4.6.0-1].
  for (auto at = order_.begin(); at != order_.end();) {
    const auto [number, id] = *at++;
    if (!open_.at(id).received) {
      send(client, id, record(number).qos, number, connack.session_present);
    } else if (connack.session_present) {
      client.send(mqtt::client::encode_ack(options_.version, PacketType::pubrel, id));
    } else {  // the hub has forgotten the id, so it has had the PUBREL
      open_.erase(id);
      order_.erase(number);
    }
  }
  if (options_.subscribes && first_after_suback_ == 0) {
    client.send(mqtt::client::encode(mqtt::client::Subscribe{
        .version = options_.version,
        .packet_id = kSubscribeId,
        .filters = {{"commands/" + options_.client_id, {.qos = Qos::at_least_once}}}}));
  }
  return client;
}

void DurableDevice::publish(RawMqttClient& client, Qos least) {
  if (open_.size() >= options_.window) return;
  const std::uint64_t number = first_number_ + records_.size();
  const Qos qos = std::max(make_(number).qos, least);
  records_.push_back({qos, 0, false});
  std::uint16_t id = 0;
  if (qos != Qos::at_most_once) {
    id = free_id();
    open_.emplace(id, Open{number, false});
    order_.emplace(number, id);
  }
  send(client, id, qos, number, false);
}

std::uint16_t DurableDevice::free_id() {
  if (options_.reuses_ids) last_id_ = 0;
  do {
    last_id_ = static_cast<std::uint16_t>(last_id_ % kMaxId + 1);
  } while (open_.contains(last_id_));
  return last_id_;
}

void DurableDevice::send(RawMqttClient& client, std::uint16_t id, Qos qos, std::uint64_t number,
                         bool again) {
  const Publication message = make_(number);
  ++record(number).sends;  // before: what send() fails on may have gone out
  client.publish(message.topic, message.payload, qos, id, again);
}

bool DurableDevice::take(RawMqttClient& client) {
  auto packet = client.receive_within(kGlance);
  for (; packet; packet = client.receive_within({})) {
    if (!take_ack(client, *packet)) return false;
  }
  return true;
}

bool DurableDevice::take_ack(RawMqttClient& client, const RawMqttClient::Packet& packet) {
  if (packet.type == PacketType::suback) {
    first_after_suback_ = first_number_ + records_.size();
    return true;
  }
  if (packet.type == PacketType::disconnect) {
    const auto goodbye = mqtt::client::decode_disconnect(packet.body);
    if (goodbye && goodbye->reason == ReasonCode::server_shutting_down) return false;
    throw Misbehaviour(fmt::format("the hub sent DISCONNECT: {}",
                                   goodbye ? mqtt::name(goodbye->reason) : "malformed"));
  }
  const auto ack = mqtt::client::decode_ack(options_.version, packet.body);
  if (!ack) throw Misbehaviour("the hub sent a malformed acknowledgement");
  const auto found = open_.find(ack->packet_id);
  if (found == open_.end()) return true;  // of a resend, after the first answer had come
  if (mqtt::is_failure(ack->reason) && packet.type != PacketType::pubcomp) {
    throw Misbehaviour(
        fmt::format("message {} was refused: {}", found->second.number, mqtt::name(ack->reason)));
  }
  const std::uint64_t number = found->second.number;
  Record& acknowledged = record(number);
  const bool qos2 = acknowledged.qos == Qos::exactly_once;
  switch (packet.type) {
    case PacketType::pubrec:
      if (!qos2) throw Misbehaviour("PUBREC for a message of QoS 1");
      acknowledged.acknowledged = true;
      found->second.received = true;
      client.send(mqtt::client::encode_ack(options_.version, PacketType::pubrel, ack->packet_id));
      break;
    case PacketType::puback:
      if (qos2) throw Misbehaviour("PUBACK for a message of QoS 2");
      acknowledged.acknowledged = true;
      [[fallthrough]];
    case PacketType::pubcomp:
      if (qos2 && !found->second.received) return true;  // of an id's earlier message
      order_.erase(number);
      open_.erase(found);
      break;
    default:
      throw Misbehaviour(fmt::format("the hub sent packet type {}", static_cast<int>(packet.type)));
  }
  if (first_after_suback_ != 0 && number >= first_after_suback_) session_is_durable_ = true;
  return true;
}

}  // namespace hub::test
