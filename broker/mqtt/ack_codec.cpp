#include "broker/mqtt/ack_codec.h"

#include "broker/mqtt/property.h"
#include "broker/mqtt/wire_reader.h"
#include "broker/mqtt/wire_writer.h"

namespace hub::mqtt {
namespace {

constexpr PropertySet kAckProperties{PropertyId::reason_string, PropertyId::user_property};

// Tables 3-4 to 3-7.
bool may_carry(PacketType type, ReasonCode reason) {
  const bool release = type == PacketType::pubrel || type == PacketType::pubcomp;
  switch (reason) {
    using enum ReasonCode;
    case success:
      return true;
    case packet_identifier_not_found:
      return release;
    case no_matching_subscribers:
    case unspecified_error:
    case implementation_specific_error:
    case not_authorized:
    case topic_name_invalid:
    case packet_identifier_in_use:
    case quota_exceeded:
    case payload_format_invalid:
      return !release;
    default:
      return false;
  }
}

}  // namespace

DecodeResult<AckView> decode_ack(ProtocolVersion version, PacketType type,
                                 std::string_view body) noexcept {
  WireReader in{body};
  const auto id = PacketId::from_wire(in.u16());
  if (in.failed()) return in.error();
  if (!id) return DecodeError{ReasonCode::protocol_error, 0, "packet id 0 [MQTT-2.2.1-3]"};

  AckView ack{.packet_id = *id, .reason = ReasonCode::success, .reason_string = {}};
  if (version == ProtocolVersion::v5 && in.left() > 0) {
    ack.reason = static_cast<ReasonCode>(in.u8());
    if (!may_carry(type, ack.reason)) {
      return DecodeError{ReasonCode::protocol_error, 2,
                         "reason code that this packet cannot have [MQTT-3.4.2-1]"};
    }
    if (in.left() > 0) {
      PropertyReader reader{in, kAckProperties};
      Property property;
      while (reader.next(property)) {
        if (property.id == PropertyId::reason_string) ack.reason_string = property.text;
      }
    }
  }
  in.expect_end();
  if (in.failed()) return in.error();
  return ack;
}

void append_ack(std::string& out, ProtocolVersion version, PacketType type, PacketId id,
                ReasonCode reason, std::string_view reason_string) {
  const auto first = static_cast<unsigned>(type) << 4 | (type == PacketType::pubrel ? 0x02u : 0u);
  if (version == ProtocolVersion::v311 || (reason == ReasonCode::success && reason_string.empty()))
      [[likely]] {
    const char packet[4] = {static_cast<char>(first), 2, static_cast<char>(id.value() >> 8),
                            static_cast<char>(id.value() & 0xFF)};
    out.append(packet, sizeof packet);
    return;
  }
  append_u8(out, static_cast<std::uint8_t>(first));
  const std::size_t property_bytes = text_property_bytes(reason_string);
  append_varint(out, 3 + (property_bytes > 0 ? varint_bytes(property_bytes) + property_bytes : 0));
  append_u16(out, id.value());
  append_u8(out, static_cast<std::uint8_t>(reason));
  if (property_bytes > 0) {
    append_varint(out, property_bytes);
    append_text_property(out, PropertyId::reason_string, reason_string);
  }
}

DecodeResult<void> decode_pingreq(std::string_view body) noexcept {
  if (body.empty()) return {};
  return DecodeError{ReasonCode::malformed_packet, 0, "PINGREQ with a body (section 3.12)"};
}

void append_pingresp(std::string& out) {
  append_first_byte(out, PacketType::pingresp);
  append_u8(out, 0);
}

}  // namespace hub::mqtt
