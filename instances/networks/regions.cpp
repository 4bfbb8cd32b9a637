#include "instances/networks/regions.h"

#include <fmt/format.h>

#include <array>

#include "instances/core/errc.h"

namespace hub::instances {
namespace {

constexpr std::array<std::string_view, 3> kNorth1{"cn-north-1a", "cn-north-1b", "cn-north-1c"};
constexpr std::array<std::string_view, 1> kEast1{"cn-east-1a"};
constexpr std::array<std::string_view, 2> kEast2{"cn-east-2a", "cn-east-2b"};
constexpr std::array<std::string_view, 1> kSouth1{"cn-south-1a"};

constexpr std::array kRegions{
    Region{"cn-north-1", "Beijing", kNorth1, true},
    Region{"cn-east-1", "Suqian", kEast1, false},
    Region{"cn-east-2", "Shanghai", kEast2, false},
    Region{"cn-south-1", "Guangzhou", kSouth1, false},
};

}  // namespace

std::span<const Region> regions() { return kRegions; }

const Region& find_region(std::string_view id) {
  for (const auto& region : kRegions)
    if (region.id == id) return region;
  throw Refusal(
      Errc::RegionNotSupported,
      fmt::format("There is no region '{}': there are cn-north-1, cn-east-1, cn-east-2 and "
                  "cn-south-1.",
                  id));
}

const Region& find_hub_region(std::string_view id) {
  const auto& region = find_region(id);
  if (region.offers_hubs) return region;
  throw Refusal(Errc::RegionNotSupported,
                fmt::format("Hubs are not offered in {} ({}). Use cn-north-1, with a VPC there.",
                            region.id, region.city));
}

}  // namespace hub::instances
