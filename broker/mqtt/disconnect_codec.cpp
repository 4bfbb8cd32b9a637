#include "broker/mqtt/disconnect_codec.h"

#include "broker/mqtt/property.h"
#include "broker/mqtt/wire_reader.h"
#include "broker/mqtt/wire_writer.h"

namespace hub::mqtt {
namespace {

constexpr PropertySet kDisconnectProperties{PropertyId::session_expiry_interval,
                                            PropertyId::reason_string, PropertyId::user_property};
constexpr PropertySet kAuthProperties{PropertyId::authentication_method,
                                      PropertyId::authentication_data, PropertyId::reason_string,
                                      PropertyId::user_property};

// Table 3-13: the reason codes that a client can send.
bool client_may_send(ReasonCode reason) {
  switch (reason) {
    using enum ReasonCode;
    case normal_disconnection:
    case disconnect_with_will_message:
    case unspecified_error:
    case malformed_packet:
    case protocol_error:
    case implementation_specific_error:
    case topic_name_invalid:
    case receive_maximum_exceeded:
    case topic_alias_invalid:
    case packet_too_large:
    case message_rate_too_high:
    case quota_exceeded:
    case administrative_action:
    case payload_format_invalid:
      return true;
    default:
      return false;
  }
}

}  // namespace

DecodeResult<DisconnectView> decode_disconnect(ProtocolVersion version,
                                               std::string_view body) noexcept {
  WireReader in{body};
  DisconnectView disconnect;
  if (version == ProtocolVersion::v5 && in.left() > 0) {
    disconnect.reason = static_cast<ReasonCode>(in.u8());
    if (!client_may_send(disconnect.reason)) {
      return DecodeError{ReasonCode::protocol_error, 0,
                         "reason code that a client cannot send [MQTT-3.14.2-1]"};
    }
    if (in.left() > 0) {
      PropertyReader reader{in, kDisconnectProperties};
      Property property;
      while (reader.next(property)) {
        if (property.id == PropertyId::session_expiry_interval) {
          disconnect.session_expiry = property.number;
        } else if (property.id == PropertyId::reason_string) {
          disconnect.reason_string = property.text;
        }
      }
    }
  }
  in.expect_end();
  if (in.failed()) return in.error();
  return disconnect;
}

void append_disconnect(std::string& out, ProtocolVersion version, ReasonCode reason,
                       std::string_view reason_string) {
  if (version == ProtocolVersion::v311) return;
  const std::size_t property_bytes = text_property_bytes(reason_string);
  append_first_byte(out, PacketType::disconnect);
  append_varint(out, 1 + (property_bytes > 0 ? varint_bytes(property_bytes) + property_bytes : 0));
  append_u8(out, static_cast<std::uint8_t>(reason));
  if (property_bytes > 0) {
    append_varint(out, property_bytes);
    append_text_property(out, PropertyId::reason_string, reason_string);
  }
}

DecodeResult<AuthView> decode_auth(std::string_view body) noexcept {
  WireReader in{body};
  AuthView auth;
  if (in.left() > 0) {
    auth.reason = static_cast<ReasonCode>(in.u8());
    switch (auth.reason) {
      case ReasonCode::success:
      case ReasonCode::continue_authentication:
      case ReasonCode::re_authenticate:
        break;
      default:
        return DecodeError{ReasonCode::protocol_error, 0,
                           "reason code that AUTH cannot have [MQTT-3.15.2-1]"};
    }
    PropertyReader reader{in, kAuthProperties};
    Property property;
    while (reader.next(property)) {
      if (property.id == PropertyId::authentication_method) auth.method = property.text;
      if (property.id == PropertyId::authentication_data) auth.data = property.text;
    }
  }
  in.expect_end();
  if (in.failed()) return in.error();
  return auth;
}

}  // namespace hub::mqtt
