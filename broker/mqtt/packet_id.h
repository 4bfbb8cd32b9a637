#pragma once

#include <cassert>
#include <compare>
#include <cstdint>
#include <optional>

namespace hub::mqtt {

// A packet identifier, 1 to 65,535 (MQTT 5.0 section 2.2.1). Zero is not one: where a packet may
// lack an identifier, the type is std::optional<PacketId>.
class PacketId {
 public:
  // Requires value != 0; what came from a peer goes through from_wire().
  constexpr explicit PacketId(std::uint16_t value) : value_(value) { assert(value != 0); }

  static constexpr std::optional<PacketId> from_wire(std::uint16_t value) {
    if (value == 0) return std::nullopt;
    return PacketId{value};
  }

  [[nodiscard]] constexpr std::uint16_t value() const { return value_; }

  friend constexpr auto operator<=>(PacketId, PacketId) = default;

 private:
  std::uint16_t value_;
};

}  // namespace hub::mqtt
