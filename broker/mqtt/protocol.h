#pragma once

#include <cstddef>
#include <cstdint>

namespace hub::mqtt {

// The protocols that the hub speaks. 3.1 ("MQIsdp") is recognised only so that it can be refused:
// see ConnectError.
enum class ProtocolVersion : std::uint8_t { v311 = 4, v5 = 5 };

// The high four bits of a packet's first byte (MQTT 5.0 section 2.1.2).
enum class PacketType : std::uint8_t {
  connect = 1,
  connack = 2,
  publish = 3,
  puback = 4,
  pubrec = 5,
  pubrel = 6,
  pubcomp = 7,
  subscribe = 8,
  suback = 9,
  unsubscribe = 10,
  unsuback = 11,
  pingreq = 12,
  pingresp = 13,
  disconnect = 14,
  auth = 15,  // MQTT 5.0 only
};

// The largest Remaining Length that four bytes can say (MQTT 5.0 section 1.5.5).
inline constexpr std::size_t kMaxRemainingLength = 268'435'455;
// And the largest packet: one byte of type and flags, four of length, the rest.
inline constexpr std::size_t kMaxPacketBytes = kMaxRemainingLength + 5;

// Session Expiry Interval: the session does not expire (MQTT 5.0 section 3.1.2.11.2).
inline constexpr std::uint32_t kNeverExpires = 0xFFFF'FFFF;

}  // namespace hub::mqtt
