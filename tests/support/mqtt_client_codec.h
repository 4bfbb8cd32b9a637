#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/message.h"
#include "base/subscription_options.h"
#include "broker/mqtt/decode_error.h"
#include "broker/mqtt/property.h"
#include "broker/mqtt/protocol.h"

// The client's side of MQTT, for tests: encoders that also produce what a client must not send,
// and decoders that own what they decode.
namespace hub::mqtt::client {

// A property block under construction, without its length. Checks nothing.
class Properties {
 public:
  Properties& u8(PropertyId id, std::uint8_t value);
  Properties& u16(PropertyId id, std::uint16_t value);
  Properties& u32(PropertyId id, std::uint32_t value);
  Properties& varint(PropertyId id, std::uint32_t value);
  Properties& text(PropertyId id, std::string_view value);  // also binary data
  Properties& user(std::string_view name, std::string_view value);
  Properties& raw(std::string_view bytes);

  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// A whole packet: first byte, shortest Remaining Length, body.
[[nodiscard]] std::string packet(std::uint8_t first_byte, std::string_view body);

struct Will {
  std::string topic{};
  std::string payload{};
  Qos qos = Qos::at_most_once;
  bool retain = false;
  Properties properties{};
};

struct Connect {
  ProtocolVersion version = ProtocolVersion::v5;
  std::string client_id{};
  bool clean_start = true;
  std::chrono::seconds keep_alive{60};
  std::optional<Will> will{};
  std::optional<std::string> username{};
  std::optional<std::string> password{};
  Properties properties{};
};
[[nodiscard]] std::string encode(const Connect& connect);

struct Publish {
  ProtocolVersion version = ProtocolVersion::v5;
  std::string topic{};
  std::string payload{};
  Qos qos = Qos::at_most_once;
  std::uint16_t packet_id = 0;
  bool dup = false;
  bool retain = false;
  Properties properties{};
};
[[nodiscard]] std::string encode(const Publish& publish);

struct Subscribe {
  ProtocolVersion version = ProtocolVersion::v5;
  std::uint16_t packet_id = 1;
  std::vector<std::pair<std::string, SubscriptionOptions>> filters{};
  Properties properties{};
};
[[nodiscard]] std::string encode(const Subscribe& subscribe);

struct Unsubscribe {
  ProtocolVersion version = ProtocolVersion::v5;
  std::uint16_t packet_id = 1;
  std::vector<std::string> filters{};
  Properties properties{};
};
[[nodiscard]] std::string encode(const Unsubscribe& unsubscribe);

// type: puback, pubrec, pubrel or pubcomp. A 5.0 packet has a reason only when it is not success.
[[nodiscard]] std::string encode_ack(ProtocolVersion version, PacketType type,
                                     std::uint16_t packet_id,
                                     ReasonCode reason = ReasonCode::success);
[[nodiscard]] std::string encode_pingreq();
[[nodiscard]] std::string encode_disconnect(ProtocolVersion version,
                                            ReasonCode reason = ReasonCode::normal_disconnection,
                                            const Properties& properties = {});

// What a server sends, decoded from a packet's body.

struct ReceivedProperties {
  std::map<PropertyId, std::uint32_t> numbers;
  std::map<PropertyId, std::string> texts;
  std::vector<std::uint32_t> subscription_ids;
  std::vector<std::pair<std::string, std::string>> user;
};

struct Connack {
  bool session_present = false;
  std::uint8_t code = 0;  // ReasonCode or, in 3.1.1, ConnectReturnCode
  ReceivedProperties properties;
};
[[nodiscard]] DecodeResult<Connack> decode_connack(ProtocolVersion version, std::string_view body);

struct ReceivedPublish {
  std::string topic;
  std::string payload;
  Qos qos = Qos::at_most_once;
  std::uint16_t packet_id = 0;
  bool dup = false;
  bool retain = false;
  ReceivedProperties properties;
};
[[nodiscard]] DecodeResult<ReceivedPublish> decode_publish(ProtocolVersion version,
                                                           std::uint8_t flags,
                                                           std::string_view body);

// SUBACK or UNSUBACK.
struct Suback {
  std::uint16_t packet_id = 0;
  std::vector<ReasonCode> codes;
  ReceivedProperties properties;
};
[[nodiscard]] DecodeResult<Suback> decode_suback(ProtocolVersion version, std::string_view body);

// PUBACK, PUBREC, PUBREL or PUBCOMP.
struct Ack {
  std::uint16_t packet_id = 0;
  ReasonCode reason = ReasonCode::success;
  ReceivedProperties properties;
};
[[nodiscard]] DecodeResult<Ack> decode_ack(ProtocolVersion version, std::string_view body);

struct Disconnect {
  ReasonCode reason = ReasonCode::normal_disconnection;
  ReceivedProperties properties;
};
[[nodiscard]] DecodeResult<Disconnect> decode_disconnect(std::string_view body);

}  // namespace hub::mqtt::client
