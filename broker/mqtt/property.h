#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "broker/mqtt/wire_reader.h"

namespace hub::mqtt {

// MQTT 5.0 table 2-4.
enum class PropertyId : std::uint8_t {
  payload_format_indicator = 0x01,
  message_expiry_interval = 0x02,
  content_type = 0x03,
  response_topic = 0x08,
  correlation_data = 0x09,
  subscription_identifier = 0x0B,
  session_expiry_interval = 0x11,
  assigned_client_identifier = 0x12,
  server_keep_alive = 0x13,
  authentication_method = 0x15,
  authentication_data = 0x16,
  request_problem_information = 0x17,
  will_delay_interval = 0x18,
  request_response_information = 0x19,
  response_information = 0x1A,
  server_reference = 0x1C,
  reason_string = 0x1F,
  receive_maximum = 0x21,
  topic_alias_maximum = 0x22,
  topic_alias = 0x23,
  maximum_qos = 0x24,
  retain_available = 0x25,
  user_property = 0x26,
  maximum_packet_size = 0x27,
  wildcard_subscription_available = 0x28,
  subscription_identifier_available = 0x29,
  shared_subscription_available = 0x2A,
};

// The properties that a packet may have.
class PropertySet {
 public:
  template <class... Ids>
  constexpr explicit PropertySet(Ids... ids) : bits_((bit(ids) | ... | 0)) {}
  // Requires id < 64.
  [[nodiscard]] constexpr bool has(PropertyId id) const { return (bits_ & bit(id)) != 0; }
  constexpr void add(PropertyId id) { bits_ |= bit(id); }

 private:
  static constexpr std::uint64_t bit(PropertyId id) {
    return std::uint64_t{1} << static_cast<unsigned>(id);
  }
  std::uint64_t bits_;
};

// One property. Borrows from the packet.
struct Property {
  PropertyId id{};
  std::size_t offset = 0;    // of its identifier, in the packet's body
  std::uint32_t number = 0;  // an integer's value, whatever its width
  std::string_view text;     // a string's or binary data's; a user property's name
  std::string_view value;    // a user property's value
};

// Reads the properties of a packet one by one (MQTT 5.0 section 2.2.2). Checks what holds for a
// property wherever it stands: its data type, the values that it may have, that it stands there
// once. Failures go to the reader.
class PropertyReader {
 public:
  // Reads the property length; `allowed`: what the packet's table in section 3 lists.
  PropertyReader(WireReader& in, PropertySet allowed);

  // False at the end of the properties, and on failure.
  [[nodiscard]] bool next(Property& property);

  // The whole block without its length; requires that next() has not been called.
  [[nodiscard]] std::string_view raw() const { return raw_; }

 private:
  WireReader& in_;
  std::string_view raw_;
  std::size_t end_ = 0;  // offset in the body
  PropertySet allowed_;
  PropertySet seen_;
};

// Encoders: the length of the block is known before its parts are appended.
[[nodiscard]] constexpr std::size_t text_property_bytes(std::string_view text) {
  return text.empty() ? 0 : 3 + text.size();
}
void append_u8_property(std::string& out, PropertyId id, std::uint8_t value);
void append_u16_property(std::string& out, PropertyId id, std::uint16_t value);
void append_u32_property(std::string& out, PropertyId id, std::uint32_t value);
// Nothing when text is empty.
void append_text_property(std::string& out, PropertyId id, std::string_view text);

}  // namespace hub::mqtt
