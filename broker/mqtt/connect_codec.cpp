#include "broker/mqtt/connect_codec.h"

#include "broker/mqtt/property.h"
#include "broker/mqtt/wire_reader.h"
#include "broker/mqtt/wire_writer.h"

namespace hub::mqtt {
namespace {

using enum PropertyId;
using Answer = ConnectError::Answer;

constexpr PropertySet kConnectProperties{session_expiry_interval,
                                         receive_maximum,
                                         maximum_packet_size,
                                         topic_alias_maximum,
                                         request_response_information,
                                         request_problem_information,
                                         user_property,
                                         authentication_method,
                                         authentication_data};
constexpr PropertySet kWillProperties{
    will_delay_interval, payload_format_indicator, message_expiry_interval,
    content_type,        response_topic,           correlation_data,
    user_property};

// The Connect Flags (section 3.1.2.3).
struct Flags {
  std::uint8_t bits;
  [[nodiscard]] bool reserved() const { return (bits & 0x01) != 0; }
  [[nodiscard]] bool clean_start() const { return (bits & 0x02) != 0; }
  [[nodiscard]] bool will() const { return (bits & 0x04) != 0; }
  [[nodiscard]] unsigned will_qos() const { return bits >> 3 & 3u; }
  [[nodiscard]] bool will_retain() const { return (bits & 0x20) != 0; }
  [[nodiscard]] bool password() const { return (bits & 0x40) != 0; }
  [[nodiscard]] bool username() const { return (bits & 0x80) != 0; }
};

// Which protocol the client speaks, or how to tell it that the hub does not.
boost::system::result<ProtocolVersion, ConnectError> read_protocol(WireReader& in) {
  const std::string_view protocol = in.binary();
  const std::size_t offset = in.offset();
  const std::uint8_t level = in.u8();
  if (in.failed()) return ConnectError{in.error(), Answer::close};

  const auto unsupported = [offset](Answer answer, const char* what) {
    return ConnectError{{ReasonCode::unsupported_protocol_version, offset, what}, answer};
  };
  if (protocol == "MQIsdp") {
    return unsupported(Answer::connack_v311, "MQTT 3.1 is not supported [MQTT-3.1.2-2]");
  }
  if (protocol != "MQTT") {
    return ConnectError{{ReasonCode::unsupported_protocol_version, 0, "not MQTT [MQTT-3.1.2-1]"},
                        Answer::close};
  }
  if (level == 4) return ProtocolVersion::v311;
  if (level == 5) return ProtocolVersion::v5;
  return unsupported((level & 0x7F) <= 4 ? Answer::connack_v311 : Answer::connack_v5,
                     "protocol version that is neither 4 nor 5 [MQTT-3.1.2-2]");
}

void check_flags(WireReader& in, ProtocolVersion version, Flags flags) {
  const auto malformed = [&in](const char* what) {
    in.fail_at(ReasonCode::malformed_packet, what, in.offset() - 1);
  };
  if (in.failed()) return;
  if (flags.reserved()) malformed("reserved Connect Flag set [MQTT-3.1.2-3]");
  if (!flags.will() && flags.will_qos() != 0) malformed("Will QoS without a will [MQTT-3.1.2-11]");
  if (!flags.will() && flags.will_retain()) malformed("Will Retain without a will [MQTT-3.1.2-13]");
  if (flags.will_qos() == 3) malformed("Will QoS 3 [MQTT-3.1.2-12]");
  if (version == ProtocolVersion::v311 && flags.password() && !flags.username()) {
    malformed("password without a user name (MQTT 3.1.1 [MQTT-3.1.2-22])");
  }
}

void read_connect_properties(WireReader& in, ConnectView& connect) {
  PropertyReader reader{in, kConnectProperties};
  Property property;
  std::optional<std::size_t> data_offset;
  while (reader.next(property)) {
    switch (property.id) {
      case session_expiry_interval:
        connect.session_expiry = property.number;
        break;
      case receive_maximum:
        connect.receive_maximum = static_cast<std::uint16_t>(property.number);
        break;
      case maximum_packet_size:
        connect.maximum_packet_size = property.number;
        break;
      case topic_alias_maximum:
        connect.topic_alias_maximum = static_cast<std::uint16_t>(property.number);
        break;
      case request_response_information:
        connect.request_response_information = property.number == 1;
        break;
      case request_problem_information:
        connect.request_problem_information = property.number == 1;
        break;
      case authentication_method:
        connect.authentication_method = property.text;
        break;
      case authentication_data:
        connect.authentication_data = property.text;
        data_offset = property.offset;
        break;
      default:  // user properties have no meaning for the hub
        break;
    }
  }
  if (data_offset && !connect.authentication_method) {
    in.fail_at(ReasonCode::protocol_error,
               "Authentication Data without a method (section 3.1.2.11.10)", *data_offset);
  }
}

void read_will(WireReader& in, ProtocolVersion version, Flags flags, WillView& will) {
  will.qos = static_cast<Qos>(flags.will_qos());
  will.retain = flags.will_retain();
  if (version == ProtocolVersion::v5) {
    PropertyReader reader{in, kWillProperties};
    will.properties = reader.raw();
    Property property;
    while (reader.next(property)) {
      if (property.id == will_delay_interval) will.delay = std::chrono::seconds{property.number};
      if (property.id == message_expiry_interval) will.message_expiry = property.number;
    }
  }
  const std::size_t offset = in.offset();
  will.topic = in.binary();
  if (!in.failed() && !is_valid_topic_name(will.topic)) {
    in.fail_at(ReasonCode::malformed_packet,
               "Will Topic empty, with a wildcard or ill-formed UTF-8 [MQTT-3.1.3-11]", offset);
  }
  will.payload = in.binary();
}

}  // namespace

boost::system::result<ConnectView, ConnectError> decode_connect(std::string_view body) noexcept {
  WireReader in{body};
  const auto version = read_protocol(in);
  if (version.has_error()) return version.error();

  boost::system::result<ConnectView, ConnectError> result{boost::system::in_place_value};
  ConnectView& connect = *result;
  connect.version = *version;
  const bool v5 = *version == ProtocolVersion::v5;
  const Flags flags{in.u8()};
  check_flags(in, *version, flags);
  connect.clean_start = flags.clean_start();
  connect.keep_alive = std::chrono::seconds{in.u16()};
  if (v5) {
    read_connect_properties(in, connect);
  } else if (!connect.clean_start) {
    connect.session_expiry = kNeverExpires;
  }

  const std::size_t client_id_offset = in.offset();
  connect.client_id = in.utf8();
  if (flags.will()) read_will(in, *version, flags, connect.will.emplace());
  if (flags.username()) connect.username = in.utf8();
  if (flags.password()) connect.password = in.binary();
  in.expect_end();

  if (in.failed()) return ConnectError{in.error(), v5 ? Answer::connack_v5 : Answer::close};
  if (!v5 && connect.client_id.empty() && !connect.clean_start) {
    return ConnectError{{ReasonCode::client_identifier_not_valid, client_id_offset,
                         "neither client id nor Clean Session (MQTT 3.1.1 [MQTT-3.1.3-8])"},
                        Answer::connack_v311};
  }
  return result;
}

void append_connack(std::string& out, ProtocolVersion version, const Connack& connack) {
  const bool session_present = connack.session_present && connack.reason == ReasonCode::success;
  if (version == ProtocolVersion::v311) {
    const auto code = connect_return_code(connack.reason);
    if (!code) return;
    append_first_byte(out, PacketType::connack);
    append_u8(out, 2);
    append_u8(out, session_present ? 1 : 0);
    append_u8(out, static_cast<std::uint8_t>(*code));
    return;
  }

  std::string properties;
  const auto flag = [&properties](PropertyId id, bool available) {
    if (!available) append_u8_property(properties, id, 0);
  };
  if (connack.session_expiry) {
    append_u32_property(properties, session_expiry_interval, *connack.session_expiry);
  }
  if (connack.receive_maximum != 65'535) {
    append_u16_property(properties, receive_maximum, connack.receive_maximum);
  }
  if (connack.maximum_qos != Qos::exactly_once) {
    append_u8_property(properties, maximum_qos, static_cast<std::uint8_t>(connack.maximum_qos));
  }
  flag(retain_available, connack.retain_available);
  if (connack.maximum_packet_size) {
    append_u32_property(properties, maximum_packet_size, *connack.maximum_packet_size);
  }
  append_text_property(properties, assigned_client_identifier, connack.assigned_client_id);
  if (connack.topic_alias_maximum != 0) {
    append_u16_property(properties, topic_alias_maximum, connack.topic_alias_maximum);
  }
  append_text_property(properties, reason_string, connack.reason_string);
  flag(wildcard_subscription_available, connack.wildcard_subscriptions_available);
  flag(subscription_identifier_available, connack.subscription_identifiers_available);
  flag(shared_subscription_available, connack.shared_subscriptions_available);
  if (connack.server_keep_alive) {
    append_u16_property(properties, server_keep_alive,
                        static_cast<std::uint16_t>(connack.server_keep_alive->count()));
  }

  append_first_byte(out, PacketType::connack);
  append_varint(out, 2 + varint_bytes(properties.size()) + properties.size());
  append_u8(out, session_present ? 1 : 0);
  append_u8(out, static_cast<std::uint8_t>(connack.reason));
  append_varint(out, properties.size());
  out.append(properties);
}

}  // namespace hub::mqtt
