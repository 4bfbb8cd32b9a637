#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "broker/mqtt/protocol.h"

namespace hub::mqtt {

// The data types of MQTT 5.0 section 1.5, appended to a string.

inline void append_u8(std::string& out, std::uint8_t value) {
  out.push_back(static_cast<char>(value));
}

inline void append_u16(std::string& out, std::uint16_t value) {
  const char bytes[2] = {static_cast<char>(value >> 8), static_cast<char>(value & 0xFF)};
  out.append(bytes, 2);
}

inline void append_u32(std::string& out, std::uint32_t value) {
  append_u16(out, static_cast<std::uint16_t>(value >> 16));
  append_u16(out, static_cast<std::uint16_t>(value & 0xFFFF));
}

// Requires value <= kMaxRemainingLength.
inline void append_varint(std::string& out, std::size_t value) {
  assert(value <= kMaxRemainingLength);
  while (value >= 0x80) {
    append_u8(out, static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  append_u8(out, static_cast<std::uint8_t>(value));
}

[[nodiscard]] constexpr std::size_t varint_bytes(std::size_t value) {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20'0000 ? 3 : 4;
}

// A string or binary data. Requires at most 65,535 bytes.
inline void append_binary(std::string& out, std::string_view bytes) {
  assert(bytes.size() <= 0xFFFF);
  append_u16(out, static_cast<std::uint16_t>(bytes.size()));
  out.append(bytes);
}

inline void append_first_byte(std::string& out, PacketType type, std::uint8_t flags = 0) {
  append_u8(out, static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4 | flags));
}

}  // namespace hub::mqtt
