#pragma once

#include <span>
#include <string_view>

namespace hub::instances {

struct Region {
  std::string_view id;
  std::string_view city;
  std::span<const std::string_view> zones;
  bool offers_hubs;
};

[[nodiscard]] std::span<const Region> regions();
// Throws Refusal(RegionNotSupported).
const Region& find_region(std::string_view id);
const Region& find_hub_region(std::string_view id);  // one that offers hubs

}  // namespace hub::instances
