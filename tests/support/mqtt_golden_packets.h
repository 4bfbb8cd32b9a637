#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "broker/mqtt/decode_error.h"
#include "broker/mqtt/protocol.h"

namespace hub::mqtt {

// A packet from a client as it is on the wire, to decode or to break.
struct GoldenPacket {
  std::string_view name;
  ProtocolVersion version;
  std::string_view hex;

  [[nodiscard]] std::string bytes() const;
};

// One or more of each packet that a client sends, in both versions. Those that are named after
// mosquitto were recorded from the clients of mosquitto 2.0.11; the others are written by hand
// after the standards.
[[nodiscard]] std::span<const GoldenPacket> golden_packets();

// Requires an even number of hexadecimal digits; spaces are skipped.
[[nodiscard]] std::string from_hex(std::string_view hex);
[[nodiscard]] std::string to_hex(std::string_view bytes);

// What the hub makes of one packet from a client: nothing when it is right. type and body as
// peek_frame() found them.
[[nodiscard]] std::optional<DecodeError> decode_client_packet(ProtocolVersion version,
                                                              PacketType type, std::uint8_t flags,
                                                              std::string_view body);

}  // namespace hub::mqtt
