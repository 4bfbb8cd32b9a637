#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "broker/mqtt/decode_error.h"
#include "broker/mqtt/protocol.h"

namespace hub::mqtt {

enum class FrameState : std::uint8_t {
  need_more,  // right so far; wait for more bytes
  complete,   // the whole packet is there
  malformed,  // no further byte can mend it
  too_large,  // longer than the reader allows, however much of it is there
};

// What the first two to five bytes of a packet say (MQTT 5.0 section 2.1).
struct FrameHeader {
  FrameState state = FrameState::need_more;
  PacketType type{};              // valid unless malformed, or not a byte was there
  std::uint8_t flags = 0;         // the low four bits of the first byte
  std::uint8_t header_bytes = 0;  // 0 while the length is not complete
  std::uint32_t body_bytes = 0;   // Remaining Length; valid when header_bytes > 0
  const char* what = nullptr;     // malformed: why, with the normative statement

  // The whole packet; 0 while it is not known.
  [[nodiscard]] std::size_t packet_bytes() const { return std::size_t{header_bytes} + body_bytes; }
  // Requires malformed or too_large.
  [[nodiscard]] DecodeError error() const {
    if (state == FrameState::too_large) {
      return {ReasonCode::packet_too_large, 0, "packet longer than the Maximum Packet Size"};
    }
    return {ReasonCode::malformed_packet, 0, what};
  }
};

namespace detail {

// One bit per packet type, for the types whose four flag bits must be 0000.
inline constexpr std::uint32_t kFlags0000 = 0b1111'1010'1011'0110;
// And 0010: PUBREL, SUBSCRIBE, UNSUBSCRIBE (MQTT 5.0 table 2-2).
inline constexpr std::uint32_t kFlags0010 = 0b0000'0101'0100'0000;
static_assert((kFlags0000 ^ kFlags0010) == 0b1111'1111'1111'0110 && (kFlags0000 & kFlags0010) == 0);

}  // namespace detail

// Looks at the start of `bytes`, which may hold a part of a packet or several. Reads nothing
// outside it, keeps no state: on need_more, call again with the same bytes and more.
//
// version: what CONNECT agreed on; v311 before it. Only 5.0 knows AUTH, and only 5.0 demands the
// shortest form of a length [MQTT-1.5.5-1].
[[nodiscard]] inline FrameHeader peek_frame(std::string_view bytes, std::size_t max_packet_bytes,
                                            ProtocolVersion version) noexcept {
  FrameHeader header;
  if (bytes.empty()) return header;
  const auto malformed = [&header](const char* what) {
    header.state = FrameState::malformed;
    header.what = what;
    return header;
  };

  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  const unsigned type = p[0] >> 4;
  header.type = static_cast<PacketType>(type);
  header.flags = p[0] & 0x0F;
  if (header.type != PacketType::publish) [[likely]] {
    const bool right = header.flags == 0   ? (detail::kFlags0000 >> type & 1) != 0
                       : header.flags == 2 ? (detail::kFlags0010 >> type & 1) != 0
                                           : false;
    if (!right) {
      return malformed(type == 0 ? "packet type 0 is forbidden (section 2.1.2)"
                                 : "reserved flags of the fixed header are wrong [MQTT-2.1.3-1]");
    }
    if (header.type == PacketType::auth && version == ProtocolVersion::v311) {
      return malformed("packet type 15 is forbidden in MQTT 3.1.1 (section 2.2.1)");
    }
  }

  std::uint32_t body_bytes = 0;
  std::size_t at = 1;
  for (;; ++at) {
    if (at == bytes.size()) return header;
    body_bytes |= std::uint32_t{p[at] & 0x7Fu} << (7 * (at - 1));
    if ((p[at] & 0x80) == 0) break;
    if (at == 4) return malformed("Remaining Length longer than four bytes (section 1.5.5)");
  }
  if (at > 1 && p[at] == 0 && version == ProtocolVersion::v5) {
    return malformed("Remaining Length not in its shortest form [MQTT-1.5.5-1]");
  }
  header.header_bytes = static_cast<std::uint8_t>(at + 1);
  header.body_bytes = body_bytes;
  if (header.packet_bytes() > max_packet_bytes) {
    header.state = FrameState::too_large;
  } else if (header.packet_bytes() <= bytes.size()) {
    header.state = FrameState::complete;
  }
  return header;
}

}  // namespace hub::mqtt
