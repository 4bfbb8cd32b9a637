#include "instances/core/cidr.h"

#include <fmt/format.h>

#include <charconv>

namespace hub::instances {
namespace {

std::optional<std::uint32_t> parse_number(std::string_view text, std::uint32_t max) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

constexpr std::uint32_t mask_bits(std::uint8_t mask) {
  return mask == 0 ? 0 : ~std::uint32_t{0} << (32 - mask);
}

}  // namespace

std::string Ipv4::to_string() const {
  return fmt::format("{}.{}.{}.{}", bits >> 24, bits >> 16 & 255, bits >> 8 & 255, bits & 255);
}

std::optional<Ipv4> parse_ipv4(std::string_view text) {
  Ipv4 address;
  for (int part = 0; part < 4; ++part) {
    const auto dot = part < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos) return std::nullopt;
    const auto number = parse_number(text.substr(0, dot), 255);
    if (!number) return std::nullopt;
    address.bits = address.bits << 8 | *number;
    text.remove_prefix(part < 3 ? dot + 1 : dot);
  }
  return address;
}

Ipv4 Cidr::last() const { return {network.bits | ~mask_bits(mask)}; }

bool Cidr::contains(Ipv4 address) const { return network <= address && address <= last(); }

bool Cidr::contains(const Cidr& other) const {
  return contains(other.network) && contains(other.last());
}

bool Cidr::overlaps(const Cidr& other) const {
  return network <= other.last() && other.network <= last();
}

std::string Cidr::to_string() const { return fmt::format("{}/{}", network.to_string(), mask); }

std::optional<Cidr> parse_cidr(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_ipv4(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return Cidr{*address, 32};
  const auto mask = parse_number(text.substr(slash + 1), 32);
  if (!mask) return std::nullopt;
  const Cidr cidr{*address, static_cast<std::uint8_t>(*mask)};
  if ((address->bits & ~mask_bits(cidr.mask)) != 0) return std::nullopt;
  return cidr;
}

}  // namespace hub::instances
