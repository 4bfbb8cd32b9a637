#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// The few MQTT packets that a load needs, small enough to be cheap: what is sent is encoded here
// once and patched later, what arrives is read in place.
namespace hub::bench {

enum class MqttVersion : std::uint8_t { v3_1_1 = 4, v5 = 5 };

// The upper half of a packet's first byte (MQTT 5.0 section 2.1.2).
enum class PacketType : std::uint8_t {
  connect = 1,
  connack,
  publish,
  puback,
  pubrec,
  pubrel,
  pubcomp,
  subscribe,
  suback,
  unsubscribe,
  unsuback,
  pingreq,
  pingresp,
  disconnect,
};

struct ConnectFields {
  MqttVersion version = MqttVersion::v3_1_1;
  std::string_view client_id;
  std::string_view username = {};  // empty: none is sent
  std::string_view password = {};
  std::uint16_t keep_alive_seconds = 60;
  bool clean_start = true;
  std::uint32_t session_expiry_seconds = 0;  // MQTT 5 only
};

void append_connect(std::string& out, const ConnectFields& fields);
void append_subscribe(std::string& out, MqttVersion version, std::uint16_t packet_id,
                      std::string_view filter, std::uint8_t qos);
// PUBACK, PUBREC, PUBREL or PUBCOMP that says success: four bytes in either version.
void append_ack(std::string& out, PacketType type, std::uint16_t packet_id);
void append_remaining_length(std::string& out, std::size_t length);
void append_string(std::string& out, std::string_view text);  // two bytes of length, then text

inline constexpr std::string_view kPingRequest{"\xC0\x00", 2};
inline constexpr std::string_view kDisconnect{"\xE0\x00", 2};

// A whole packet in the receive buffer; `body` is what follows the fixed header.
struct Packet {
  PacketType type = PacketType::connect;
  std::uint8_t flags = 0;
  std::string_view body;
};

// Walks over the packets in a buffer without copying.
class PacketScanner {
 public:
  explicit PacketScanner(std::string_view bytes) noexcept
      : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  // The next whole packet; false when only a part of one, or nothing, is left, or when the length
  // is malformed.
  bool next(Packet& packet) noexcept {
    if (end_ - at_ < 2) return false;
    const auto* byte = reinterpret_cast<const unsigned char*>(at_);
    std::size_t length = byte[1];
    std::size_t header = 2;
    if (length > 127 && !long_length(length, header)) return false;
    if (static_cast<std::size_t>(end_ - at_) < header + length) return false;
    packet.type = static_cast<PacketType>(byte[0] >> 4);
    packet.flags = byte[0] & 0x0F;
    packet.body = {at_ + header, length};
    at_ += header + length;
    return true;
  }

  // What next() has not returned.
  [[nodiscard]] std::string_view rest() const noexcept {
    return {at_, static_cast<std::size_t>(end_ - at_)};
  }
  [[nodiscard]] bool malformed() const noexcept { return malformed_; }

 private:
  bool long_length(std::size_t& length, std::size_t& header) noexcept;

  const char* at_;
  const char* end_;
  bool malformed_ = false;
};

struct Ack {
  std::uint16_t packet_id = 0;
  std::uint8_t reason = 0;  // 128 and more: refused (MQTT 5.0 section 2.4)
};
// The body of PUBACK, PUBREC, PUBREL or PUBCOMP. A body that is too short gives packet id 0, which
// no exchange has.
[[nodiscard]] inline Ack parse_ack(std::string_view body) noexcept {
  if (body.size() < 2) return {};
  const auto* byte = reinterpret_cast<const unsigned char*>(body.data());
  return {static_cast<std::uint16_t>(byte[0] << 8 | byte[1]),
          body.size() > 2 ? byte[2] : std::uint8_t{0}};
}

struct Connack {
  std::uint8_t reason = 0;  // 0: accepted
  std::uint16_t receive_maximum = 65'535;
  std::uint8_t maximum_qos = 2;
};
[[nodiscard]] std::optional<Connack> parse_connack(std::string_view body, MqttVersion version);

// The last reason code of a SUBACK: 128 and more is a refusal.
[[nodiscard]] std::optional<std::uint8_t> parse_suback(std::string_view body, MqttVersion version);

// A PUBLISH that the broker sent to us.
struct Delivery {
  std::string_view topic;
  std::string_view payload;
  std::uint16_t packet_id = 0;  // 0 at QoS 0
  std::uint8_t qos = 0;
  bool dup = false;
};
[[nodiscard]] std::optional<Delivery> parse_delivery(const Packet& packet,
                                                     MqttVersion version) noexcept;

// "quota exceeded" for 0x97: MQTT 5.0 section 2.4, and the return codes of MQTT 3.1.1's CONNACK.
[[nodiscard]] std::string reason_name(std::uint8_t reason);

}  // namespace hub::bench
