#include "tests/support/mqtt_client_codec.h"

#include "broker/mqtt/wire_reader.h"
#include "broker/mqtt/wire_writer.h"

namespace hub::mqtt::client {
namespace {

std::uint8_t first_byte(PacketType type, unsigned flags = 0) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4 | flags);
}

void append_properties(std::string& out, ProtocolVersion version, const Properties& properties) {
  if (version == ProtocolVersion::v311) return;
  append_varint(out, properties.bytes().size());
  out += properties.bytes();
}

// Every property is allowed to a server here: whether it may send one is for a test to say.
ReceivedProperties read_properties(WireReader& in, ProtocolVersion version) {
  ReceivedProperties received;
  if (version == ProtocolVersion::v311) return received;
  const std::uint32_t bytes = in.varint();
  if (in.failed() || bytes > in.left()) {
    in.fail(ReasonCode::malformed_packet, "properties run past the end");
    return received;
  }
  const std::size_t end = in.offset() + bytes;
  while (!in.failed() && in.offset() < end) {
    const auto id = static_cast<PropertyId>(in.u8());
    switch (id) {
      using enum PropertyId;
      case payload_format_indicator:
      case request_problem_information:
      case request_response_information:
      case maximum_qos:
      case retain_available:
      case wildcard_subscription_available:
      case subscription_identifier_available:
      case shared_subscription_available:
        received.numbers[id] = in.u8();
        break;
      case server_keep_alive:
      case receive_maximum:
      case topic_alias_maximum:
      case topic_alias:
        received.numbers[id] = in.u16();
        break;
      case message_expiry_interval:
      case session_expiry_interval:
      case will_delay_interval:
      case maximum_packet_size:
        received.numbers[id] = in.u32();
        break;
      case subscription_identifier:
        received.subscription_ids.push_back(in.varint());
        break;
      case user_property: {
        std::string name{in.utf8()};
        received.user.emplace_back(std::move(name), in.utf8());
        break;
      }
      case correlation_data:
      case authentication_data:
        received.texts[id] = in.binary();
        break;
      case content_type:
      case response_topic:
      case assigned_client_identifier:
      case authentication_method:
      case response_information:
      case server_reference:
      case reason_string:
        received.texts[id] = in.utf8();
        break;
      default:
        in.fail(ReasonCode::malformed_packet, "unknown property");
    }
  }
  if (in.offset() > end) in.fail(ReasonCode::malformed_packet, "property too long");
  return received;
}

template <class T>
DecodeResult<T> finish(WireReader& in, T value) {
  in.expect_end();
  if (in.failed()) return in.error();
  return value;
}

}  // namespace

Properties& Properties::u8(PropertyId id, std::uint8_t value) {
  append_u8_property(bytes_, id, value);
  return *this;
}
Properties& Properties::u16(PropertyId id, std::uint16_t value) {
  append_u16_property(bytes_, id, value);
  return *this;
}
Properties& Properties::u32(PropertyId id, std::uint32_t value) {
  append_u32_property(bytes_, id, value);
  return *this;
}
Properties& Properties::varint(PropertyId id, std::uint32_t value) {
  append_u8(bytes_, static_cast<std::uint8_t>(id));
  append_varint(bytes_, value);
  return *this;
}
Properties& Properties::text(PropertyId id, std::string_view value) {
  append_u8(bytes_, static_cast<std::uint8_t>(id));
  append_binary(bytes_, value);
  return *this;
}
Properties& Properties::user(std::string_view name, std::string_view value) {
  text(PropertyId::user_property, name);
  append_binary(bytes_, value);
  return *this;
}
Properties& Properties::raw(std::string_view bytes) {
  bytes_ += bytes;
  return *this;
}

std::string packet(std::uint8_t first, std::string_view body) {
  std::string out;
  append_u8(out, first);
  append_varint(out, body.size());
  out += body;
  return out;
}

std::string encode(const Connect& connect) {
  std::string body;
  append_binary(body, "MQTT");
  append_u8(body, static_cast<std::uint8_t>(connect.version));
  unsigned flags = connect.clean_start ? 0x02 : 0;
  if (connect.will) {
    flags |=
        0x04 | static_cast<unsigned>(connect.will->qos) << 3 | (connect.will->retain ? 0x20u : 0);
  }
  if (connect.password) flags |= 0x40;
  if (connect.username) flags |= 0x80;
  append_u8(body, static_cast<std::uint8_t>(flags));
  append_u16(body, static_cast<std::uint16_t>(connect.keep_alive.count()));
  append_properties(body, connect.version, connect.properties);
  append_binary(body, connect.client_id);
  if (connect.will) {
    append_properties(body, connect.version, connect.will->properties);
    append_binary(body, connect.will->topic);
    append_binary(body, connect.will->payload);
  }
  if (connect.username) append_binary(body, *connect.username);
  if (connect.password) append_binary(body, *connect.password);
  return packet(first_byte(PacketType::connect), body);
}

std::string encode(const Publish& publish) {
  std::string body;
  append_binary(body, publish.topic);
  if (publish.qos != Qos::at_most_once) append_u16(body, publish.packet_id);
  append_properties(body, publish.version, publish.properties);
  body += publish.payload;
  return packet(first_byte(PacketType::publish, (publish.dup ? 0x08u : 0) |
                                                    static_cast<unsigned>(publish.qos) << 1 |
                                                    (publish.retain ? 0x01u : 0)),
                body);
}

std::string encode(const Subscribe& subscribe) {
  std::string body;
  append_u16(body, subscribe.packet_id);
  append_properties(body, subscribe.version, subscribe.properties);
  for (const auto& [filter, options] : subscribe.filters) {
    append_binary(body, filter);
    append_u8(body, static_cast<std::uint8_t>(static_cast<unsigned>(options.qos) |
                                              (options.no_local ? 0x04u : 0) |
                                              (options.retain_as_published ? 0x08u : 0) |
                                              static_cast<unsigned>(options.retain_handling) << 4));
  }
  return packet(first_byte(PacketType::subscribe, 0x02), body);
}

std::string encode(const Unsubscribe& unsubscribe) {
  std::string body;
  append_u16(body, unsubscribe.packet_id);
  append_properties(body, unsubscribe.version, unsubscribe.properties);
  for (const auto& filter : unsubscribe.filters) append_binary(body, filter);
  return packet(first_byte(PacketType::unsubscribe, 0x02), body);
}

std::string encode_ack(ProtocolVersion version, PacketType type, std::uint16_t packet_id,
                       ReasonCode reason) {
  std::string body;
  append_u16(body, packet_id);
  if (version == ProtocolVersion::v5 && reason != ReasonCode::success) {
    append_u8(body, static_cast<std::uint8_t>(reason));
  }
  return packet(first_byte(type, type == PacketType::pubrel ? 0x02 : 0), body);
}

std::string encode_pingreq() { return packet(first_byte(PacketType::pingreq), {}); }

std::string encode_disconnect(ProtocolVersion version, ReasonCode reason,
                              const Properties& properties) {
  std::string body;
  if (version == ProtocolVersion::v5 &&
      (reason != ReasonCode::normal_disconnection || !properties.bytes().empty())) {
    append_u8(body, static_cast<std::uint8_t>(reason));
    append_properties(body, version, properties);
  }
  return packet(first_byte(PacketType::disconnect), body);
}

DecodeResult<Connack> decode_connack(ProtocolVersion version, std::string_view body) {
  WireReader in{body};
  Connack connack;
  const std::uint8_t flags = in.u8();
  if (flags > 1) in.fail(ReasonCode::malformed_packet, "reserved CONNACK flags");
  connack.session_present = flags == 1;
  connack.code = in.u8();
  connack.properties = read_properties(in, version);
  return finish(in, std::move(connack));
}

DecodeResult<ReceivedPublish> decode_publish(ProtocolVersion version, std::uint8_t flags,
                                             std::string_view body) {
  WireReader in{body};
  ReceivedPublish publish;
  publish.dup = (flags & 0x08) != 0;
  publish.retain = (flags & 0x01) != 0;
  publish.qos = static_cast<Qos>(flags >> 1 & 3);
  publish.topic = in.utf8();
  if (publish.qos != Qos::at_most_once) publish.packet_id = in.u16();
  publish.properties = read_properties(in, version);
  publish.payload = in.rest();
  return finish(in, std::move(publish));
}

DecodeResult<Suback> decode_suback(ProtocolVersion version, std::string_view body) {
  WireReader in{body};
  Suback suback;
  suback.packet_id = in.u16();
  suback.properties = read_properties(in, version);
  while (in.left() > 0) suback.codes.push_back(static_cast<ReasonCode>(in.u8()));
  return finish(in, std::move(suback));
}

DecodeResult<Ack> decode_ack(ProtocolVersion version, std::string_view body) {
  WireReader in{body};
  Ack ack;
  ack.packet_id = in.u16();
  if (in.left() > 0) ack.reason = static_cast<ReasonCode>(in.u8());
  if (in.left() > 0) ack.properties = read_properties(in, version);
  return finish(in, std::move(ack));
}

DecodeResult<Disconnect> decode_disconnect(std::string_view body) {
  WireReader in{body};
  Disconnect disconnect;
  if (in.left() > 0) disconnect.reason = static_cast<ReasonCode>(in.u8());
  if (in.left() > 0) disconnect.properties = read_properties(in, ProtocolVersion::v5);
  return finish(in, std::move(disconnect));
}

}  // namespace hub::mqtt::client
