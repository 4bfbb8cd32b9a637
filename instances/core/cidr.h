#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hub::instances {

// An IPv4 address, as a number: 10.0.0.1 is 0x0a000001.
struct Ipv4 {
  std::uint32_t bits = 0;

  [[nodiscard]] std::string to_string() const;
  friend auto operator<=>(const Ipv4&, const Ipv4&) = default;
};

// "10.1.2.3"; four decimal numbers without leading zeros, and nothing else.
[[nodiscard]] std::optional<Ipv4> parse_ipv4(std::string_view text);

// A block of IPv4 addresses. `network` has no bit outside the mask.
struct Cidr {
  Ipv4 network;
  std::uint8_t mask = 0;  // 0..32

  [[nodiscard]] Ipv4 last() const;
  [[nodiscard]] bool contains(Ipv4 address) const;
  [[nodiscard]] bool contains(const Cidr& other) const;
  [[nodiscard]] bool overlaps(const Cidr& other) const;
  [[nodiscard]] std::string to_string() const;  // "10.1.0.0/16"
  friend bool operator==(const Cidr&, const Cidr&) = default;
};

// "10.1.0.0/16". A network address with bits outside the mask ("10.1.0.5/16") is refused, as it is
// a mistake in one of the two; a lone address is a block of one.
[[nodiscard]] std::optional<Cidr> parse_cidr(std::string_view text);

// Every address.
inline constexpr Cidr kAnywhere{};

}  // namespace hub::instances
