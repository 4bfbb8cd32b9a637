#include "broker/mqtt/property.h"

#include <array>

#include "broker/mqtt/wire_writer.h"

namespace hub::mqtt {
namespace {

enum class Kind : std::uint8_t { none, u8, u16, u32, varint, text, binary, pair };

constexpr std::size_t kIds = 0x2B;

constexpr auto kKinds = [] {
  std::array<Kind, kIds> kinds{};
  const auto set = [&kinds](Kind kind, auto... ids) {
    ((kinds[static_cast<std::size_t>(ids)] = kind), ...);
  };
  using enum PropertyId;
  set(Kind::u8, payload_format_indicator, request_problem_information, request_response_information,
      maximum_qos, retain_available, wildcard_subscription_available,
      subscription_identifier_available, shared_subscription_available);
  set(Kind::u16, server_keep_alive, receive_maximum, topic_alias_maximum, topic_alias);
  set(Kind::u32, message_expiry_interval, session_expiry_interval, will_delay_interval,
      maximum_packet_size);
  set(Kind::varint, subscription_identifier);
  set(Kind::text, content_type, response_topic, assigned_client_identifier, authentication_method,
      response_information, server_reference, reason_string);
  set(Kind::binary, correlation_data, authentication_data);
  set(Kind::pair, user_property);
  return kinds;
}();

struct Refusal {
  ReasonCode reason = ReasonCode::success;
  const char* what = nullptr;
};

// What is wrong with a value of the right type, if anything.
Refusal check_value(const Property& property) {
  switch (property.id) {
    using enum PropertyId;
    case receive_maximum:
      if (property.number != 0) return {};
      return {ReasonCode::protocol_error, "Receive Maximum 0 (section 3.1.2.11.3)"};
    case maximum_packet_size:
      if (property.number != 0) return {};
      return {ReasonCode::protocol_error, "Maximum Packet Size 0 (section 3.1.2.11.4)"};
    case subscription_identifier:
      if (property.number != 0) return {};
      return {ReasonCode::protocol_error, "Subscription Identifier 0 (section 3.8.2.1.2)"};
    case topic_alias:
      if (property.number != 0) return {};
      return {ReasonCode::topic_alias_invalid, "Topic Alias 0 [MQTT-3.3.2-8]"};
    case response_topic:
      if (is_valid_topic_name(property.text)) return {};
      return {ReasonCode::malformed_packet,
              "Response Topic empty or with a wildcard [MQTT-3.3.2-14]"};
    default:
      if (kKinds[static_cast<std::size_t>(property.id)] != Kind::u8 || property.number <= 1) {
        return {};
      }
      return {ReasonCode::protocol_error, "property other than 0 or 1"};
  }
}

}  // namespace

PropertyReader::PropertyReader(WireReader& in, PropertySet allowed) : in_(in), allowed_(allowed) {
  const std::uint32_t bytes = in.varint();
  if (bytes > in.left()) {
    in.fail(ReasonCode::malformed_packet, "properties run past the end of the packet");
    return;
  }
  WireReader ahead = in;
  raw_ = ahead.take(bytes);
  end_ = in.offset() + bytes;
}

bool PropertyReader::next(Property& property) {
  if (in_.failed() || in_.offset() >= end_) return false;
  property = Property{};
  property.offset = in_.offset();
  const auto fail = [&](ReasonCode reason, const char* what) {
    in_.fail_at(reason, what, property.offset);
    return false;
  };

  const std::uint32_t id = in_.varint();
  if (id >= kIds || kKinds[id] == Kind::none) {
    return fail(ReasonCode::malformed_packet, "unknown property (section 2.2.2.2)");
  }
  property.id = static_cast<PropertyId>(id);
  if (!allowed_.has(property.id)) {
    return fail(ReasonCode::malformed_packet,
                "property that this packet cannot have (section 2.2.2.2)");
  }
  if (seen_.has(property.id)) return fail(ReasonCode::protocol_error, "the same property twice");
  if (property.id != PropertyId::user_property) seen_.add(property.id);

  switch (kKinds[id]) {
    case Kind::u8:
      property.number = in_.u8();
      break;
    case Kind::u16:
      property.number = in_.u16();
      break;
    case Kind::u32:
      property.number = in_.u32();
      break;
    case Kind::varint:
      property.number = in_.varint();
      break;
    case Kind::text:
      property.text = in_.utf8();
      break;
    case Kind::binary:
      property.text = in_.binary();
      break;
    case Kind::pair:
      property.text = in_.utf8();
      property.value = in_.utf8();
      break;
    case Kind::none:
      break;
  }
  if (in_.failed()) return false;
  if (in_.offset() > end_) {
    return fail(ReasonCode::malformed_packet, "a property runs past the end of the properties");
  }
  const Refusal refusal = check_value(property);
  return refusal.what == nullptr || fail(refusal.reason, refusal.what);
}

void append_u8_property(std::string& out, PropertyId id, std::uint8_t value) {
  append_u8(out, static_cast<std::uint8_t>(id));
  append_u8(out, value);
}

void append_u16_property(std::string& out, PropertyId id, std::uint16_t value) {
  append_u8(out, static_cast<std::uint8_t>(id));
  append_u16(out, value);
}

void append_u32_property(std::string& out, PropertyId id, std::uint32_t value) {
  append_u8(out, static_cast<std::uint8_t>(id));
  append_u32(out, value);
}

void append_text_property(std::string& out, PropertyId id, std::string_view text) {
  if (text.empty()) return;
  append_u8(out, static_cast<std::uint8_t>(id));
  append_binary(out, text);
}

}  // namespace hub::mqtt
