#include "broker/mqtt/publish_codec.h"

#include "broker/mqtt/property.h"
#include "broker/mqtt/wire_reader.h"
#include "broker/mqtt/wire_writer.h"

namespace hub::mqtt {
namespace {

using enum PropertyId;

constexpr PropertySet kPublishProperties{
    payload_format_indicator, message_expiry_interval, content_type, response_topic,
    correlation_data,         user_property,           topic_alias,  subscription_identifier};

void read_properties(WireReader& in, PublishProperties& properties) {
  PropertyReader reader{in, kPublishProperties};
  properties.raw = reader.raw();
  Property property;
  while (reader.next(property)) {
    switch (property.id) {
      case payload_format_indicator:
        properties.payload_is_utf8 = property.number == 1;
        break;
      case message_expiry_interval:
        properties.message_expiry = property.number;
        break;
      case content_type:
        properties.content_type = property.text;
        break;
      case response_topic:
        properties.response_topic = property.text;
        break;
      case correlation_data:
        properties.correlation_data = property.text;
        break;
      case topic_alias:
        properties.topic_alias = static_cast<std::uint16_t>(property.number);
        break;
      case subscription_identifier:
        in.fail_at(ReasonCode::protocol_error,
                   "Subscription Identifier from a client [MQTT-3.3.4-6]", property.offset);
        return;
      default:  // user properties travel in `raw`
        break;
    }
  }
}

void read_publish(WireReader& in, ProtocolVersion version, std::uint8_t flags,
                  PublishView& publish) {
  const unsigned qos = flags >> 1 & 3u;
  publish.qos = static_cast<Qos>(qos);
  publish.dup = (flags & 0x08) != 0;
  publish.retain = (flags & 0x01) != 0;
  if (qos == 3) return in.fail(ReasonCode::malformed_packet, "both QoS bits set [MQTT-3.3.1-4]");
  if (qos == 0 && publish.dup) {
    return in.fail(ReasonCode::malformed_packet, "DUP at QoS 0 [MQTT-3.3.1-2]");
  }

  publish.topic = in.binary();
  if (!publish.topic.empty() && !is_valid_topic_name(publish.topic)) [[unlikely]] {
    return in.fail_at(ReasonCode::malformed_packet,
                      "topic name with a wildcard or ill-formed UTF-8 [MQTT-3.3.2-2]", 0);
  }
  if (qos != 0) {
    const std::size_t offset = in.offset();
    publish.packet_id = PacketId::from_wire(in.u16());
    if (!publish.packet_id) {
      return in.fail_at(ReasonCode::protocol_error, "packet id 0 [MQTT-2.2.1-3]", offset);
    }
  }
  const bool v5 = version == ProtocolVersion::v5;
  if (v5 && !in.skip_zero()) read_properties(in, publish.properties);
  if (publish.topic.empty() && publish.properties.topic_alias == 0) {
    return v5 ? in.fail_at(ReasonCode::protocol_error,
                           "neither topic name nor alias (section 3.3.2.1)", 0)
              : in.fail_at(ReasonCode::malformed_packet, "empty topic name [MQTT-4.7.3-1]", 0);
  }
  publish.payload = in.rest();
}

}  // namespace

DecodeResult<PublishView> decode_publish(ProtocolVersion version, std::uint8_t flags,
                                         std::string_view body) noexcept {
  DecodeResult<PublishView> result{boost::system::in_place_value};
  WireReader in{body};
  read_publish(in, version, flags, *result);
  if (in.failed()) [[unlikely]] {
    result = in.error();
  }
  return result;
}

std::optional<std::string_view> peek_publish_topic(std::string_view body) noexcept {
  WireReader in{body};
  const std::size_t bytes = in.u16();
  if (in.failed() || bytes > in.left()) return std::nullopt;
  return body.substr(in.offset(), bytes);
}

void append_forwarded_properties(std::string& out, std::string_view raw) {
  // `raw` was decoded before: what follows only finds where each property ends.
  std::size_t kept_from = 0;
  std::size_t at = 0;
  const auto u16_at = [raw](std::size_t i) {
    return std::size_t{static_cast<unsigned char>(raw[i])} << 8 |
           static_cast<unsigned char>(raw[i + 1]);
  };
  while (at < raw.size()) {
    const std::size_t start = at;
    bool forwarded = true;
    switch (static_cast<PropertyId>(raw[at++])) {
      case payload_format_indicator:
        at += 1;
        break;
      case topic_alias:
        forwarded = false;
        at += 2;
        break;
      case message_expiry_interval:
      case will_delay_interval:
        forwarded = false;
        at += 4;
        break;
      case user_property:
        at += 2 + u16_at(at);
        [[fallthrough]];
      default:  // content type, response topic, correlation data
        at += 2 + u16_at(at);
        break;
    }
    if (!forwarded) {
      out.append(raw, kept_from, start - kept_from);
      kept_from = at;
    }
  }
  out.append(raw, kept_from);
}

EncodedPublish append_publish_head(std::string& out, ProtocolVersion version,
                                   const OutboundPublish& publish) {
  const bool v5 = version == ProtocolVersion::v5;
  std::size_t property_bytes = 0;
  if (v5) {
    property_bytes = publish.properties.size() + (publish.message_expiry ? 5 : 0) +
                     (publish.topic_alias != 0 ? 3 : 0);
    for (const std::uint32_t id : publish.subscription_ids) property_bytes += 1 + varint_bytes(id);
  }
  const bool has_id = publish.qos != Qos::at_most_once;
  const std::size_t body_bytes = 2 + publish.topic.size() + (has_id ? 2 : 0) +
                                 (v5 ? varint_bytes(property_bytes) + property_bytes : 0) +
                                 publish.payload.size();
  if (body_bytes > kMaxRemainingLength) return {};

  const std::size_t start = out.size();
  append_first_byte(
      out, PacketType::publish,
      static_cast<std::uint8_t>((publish.dup ? 0x08 : 0) | static_cast<unsigned>(publish.qos) << 1 |
                                (publish.retain ? 0x01 : 0)));
  append_varint(out, body_bytes);
  EncodedPublish encoded{.packet_bytes = out.size() - start + body_bytes};
  append_binary(out, publish.topic);
  if (has_id) {
    encoded.packet_id_offset = out.size() - start;
    append_u16(out, 0);
  }
  if (v5) {
    append_varint(out, property_bytes);
    if (publish.topic_alias != 0) append_u16_property(out, topic_alias, publish.topic_alias);
    if (publish.message_expiry) {
      append_u32_property(out, message_expiry_interval, *publish.message_expiry);
    }
    out.append(publish.properties);
    for (const std::uint32_t id : publish.subscription_ids) {
      append_u8(out, static_cast<std::uint8_t>(subscription_identifier));
      append_varint(out, id);
    }
  }
  return encoded;
}

EncodedPublish append_publish(std::string& out, ProtocolVersion version,
                              const OutboundPublish& publish) {
  const EncodedPublish encoded = append_publish_head(out, version, publish);
  if (encoded.packet_bytes != 0) out.append(publish.payload);
  return encoded;
}

}  // namespace hub::mqtt
