#include "broker/mqtt/subscribe_codec.h"

#include "broker/mqtt/property.h"
#include "broker/mqtt/wire_reader.h"
#include "broker/mqtt/wire_writer.h"

namespace hub::mqtt {
namespace {

constexpr std::string_view kSharePrefix = "$share/";

// Reads one topic filter. Returns whether it is a shared subscription's.
bool read_filter(WireReader& in, ProtocolVersion version) {
  const std::size_t offset = in.offset();
  const std::string_view filter = in.utf8();
  if (in.failed()) return false;
  const auto malformed = [&](const char* what) {
    in.fail_at(ReasonCode::malformed_packet, what, offset);
    return false;
  };
  if (!is_valid_topic_filter(filter)) {
    return malformed("topic filter empty or with a misplaced wildcard [MQTT-4.7.1-1]");
  }
  if (version == ProtocolVersion::v311 || !filter.starts_with(kSharePrefix)) return false;
  const std::string_view rest = filter.substr(kSharePrefix.size());
  const std::size_t slash = rest.find('/');
  if (slash == 0 || rest.substr(0, slash).find_first_of("+#") != std::string_view::npos) {
    return malformed("share name empty or with a wildcard [MQTT-4.8.2-1]");
  }
  if (slash == std::string_view::npos || slash + 1 == rest.size()) {
    return malformed("shared subscription without a topic filter [MQTT-4.8.2-2]");
  }
  return true;
}

void check_options(WireReader& in, ProtocolVersion version, unsigned options, bool shared) {
  if (in.failed()) return;
  const auto fail = [&in](ReasonCode reason, const char* what) {
    in.fail_at(reason, what, in.offset() - 1);
  };
  if (version == ProtocolVersion::v311) {
    if (options > 2) {
      fail(ReasonCode::malformed_packet,
           "reserved bits or QoS 3 in a subscription (MQTT 3.1.1 [MQTT-3.8.3-4])");
    }
    return;
  }
  if ((options & 0xC0) != 0) {
    fail(ReasonCode::malformed_packet, "reserved bits in a subscription [MQTT-3.8.3-5]");
  }
  if ((options & 0x03) == 3) {
    fail(ReasonCode::protocol_error, "QoS 3 in a subscription (section 3.8.3.1)");
  }
  if ((options & 0x30) == 0x30) {
    fail(ReasonCode::protocol_error, "Retain Handling 3 (section 3.8.3.1)");
  }
  if (shared && (options & 0x04) != 0) {
    fail(ReasonCode::protocol_error, "No Local on a shared subscription [MQTT-3.8.3-4]");
  }
}

// What SUBSCRIBE and UNSUBSCRIBE share.
struct Request {
  std::optional<PacketId> packet_id;
  std::uint32_t subscription_id = 0;
  FilterList filters;
};

Request read_request(WireReader& in, ProtocolVersion version, std::string_view body,
                     bool is_subscribe) {
  Request request;
  request.packet_id = PacketId::from_wire(in.u16());
  if (!request.packet_id) {
    in.fail_at(ReasonCode::protocol_error, "packet id 0 [MQTT-2.2.1-3]", 0);
  }
  if (version == ProtocolVersion::v5) {
    PropertySet allowed{PropertyId::user_property};
    if (is_subscribe) allowed.add(PropertyId::subscription_identifier);
    PropertyReader reader{in, allowed};
    Property property;
    while (reader.next(property)) {
      if (property.id == PropertyId::subscription_identifier) {
        request.subscription_id = property.number;
      }
    }
  }

  const std::size_t first = in.offset();
  if (in.left() == 0) {
    in.fail(ReasonCode::protocol_error, is_subscribe
                                            ? "SUBSCRIBE without a topic filter [MQTT-3.8.3-2]"
                                            : "UNSUBSCRIBE without a topic filter [MQTT-3.10.3-2]");
  }
  std::size_t count = 0;
  for (; in.left() > 0; ++count) {
    const bool shared = read_filter(in, version);
    if (is_subscribe) check_options(in, version, in.u8(), shared);
  }
  request.filters = FilterList{body.substr(first), count, is_subscribe};
  return request;
}

void append_codes(std::string& out, ProtocolVersion version, PacketType type, PacketId id,
                  std::span<const ReasonCode> codes, std::string_view reason_string) {
  const bool v5 = version == ProtocolVersion::v5;
  const std::size_t code_count = v5 || type == PacketType::suback ? codes.size() : 0;
  const std::size_t property_bytes = v5 ? text_property_bytes(reason_string) : 0;
  append_first_byte(out, type);
  append_varint(out, 2 + (v5 ? varint_bytes(property_bytes) + property_bytes : 0) + code_count);
  append_u16(out, id.value());
  if (v5) {
    append_varint(out, property_bytes);
    append_text_property(out, PropertyId::reason_string, reason_string);
  }
  for (const ReasonCode code : codes.first(code_count)) {
    const bool plain_failure = !v5 && is_failure(code);
    append_u8(out, static_cast<std::uint8_t>(plain_failure ? ReasonCode::unspecified_error : code));
  }
}

}  // namespace

FilterView FilterList::Iterator::operator*() const {
  WireReader in{left_};
  FilterView view{.filter = in.binary(), .options = {}};
  if (has_options_) {
    const unsigned bits = in.u8();
    view.options = {.qos = static_cast<Qos>(bits & 0x03),
                    .no_local = (bits & 0x04) != 0,
                    .retain_as_published = (bits & 0x08) != 0,
                    .retain_handling = static_cast<RetainHandling>(bits >> 4 & 0x03)};
  }
  return view;
}

FilterList::Iterator& FilterList::Iterator::operator++() {
  WireReader in{left_};
  const std::size_t bytes = 2 + in.binary().size() + (has_options_ ? 1 : 0);
  left_.remove_prefix(bytes);
  return *this;
}

DecodeResult<SubscribeView> decode_subscribe(ProtocolVersion version,
                                             std::string_view body) noexcept {
  WireReader in{body};
  const Request request = read_request(in, version, body, true);
  if (in.failed()) return in.error();
  return SubscribeView{*request.packet_id, request.subscription_id, request.filters};
}

DecodeResult<UnsubscribeView> decode_unsubscribe(ProtocolVersion version,
                                                 std::string_view body) noexcept {
  WireReader in{body};
  const Request request = read_request(in, version, body, false);
  if (in.failed()) return in.error();
  return UnsubscribeView{*request.packet_id, request.filters};
}

void append_suback(std::string& out, ProtocolVersion version, PacketId id,
                   std::span<const ReasonCode> codes, std::string_view reason_string) {
  append_codes(out, version, PacketType::suback, id, codes, reason_string);
}

void append_unsuback(std::string& out, ProtocolVersion version, PacketId id,
                     std::span<const ReasonCode> codes, std::string_view reason_string) {
  append_codes(out, version, PacketType::unsuback, id, codes, reason_string);
}

}  // namespace hub::mqtt
