#include "instances/money/prices.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "instances/core/errc.h"

namespace hub::instances {
namespace {

constexpr std::array<std::uint32_t, 5> k1c1g{20, 40, 60, 80, 100};
constexpr std::array<std::uint32_t, 5> k1c2g{60, 80, 100, 120, 150};
constexpr std::array<std::uint32_t, 5> k1c4g{100, 120, 150, 200, 300};
constexpr std::array<std::uint32_t, 5> k2c8g{200, 250, 300, 400, 500};
constexpr std::array<std::uint32_t, 5> k4c16g{400, 500, 600, 800, 1000};
constexpr std::array<std::uint32_t, 5> k8c32g{600, 800, 1000, 1200, 1600};
constexpr std::array<std::uint32_t, 4> k16c64g{1000, 1200, 1600, 2000};

constexpr std::array kClasses{
    RdsClass{"1c1g", 1, 1, 100, 600, k1c1g, yuan(92), yuan(0, 21)},
    RdsClass{"1c2g", 1, 2, 200, 1000, k1c2g, yuan(184), yuan(0, 42)},
    RdsClass{"1c4g", 1, 4, 400, 2000, k1c4g, yuan(368), yuan(0, 84)},
    RdsClass{"2c8g", 2, 8, 800, 5000, k2c8g, yuan(736), yuan(1, 68)},
    RdsClass{"4c16g", 4, 16, 1500, 8000, k4c16g, yuan(1472), yuan(3, 36)},
    RdsClass{"8c32g", 8, 32, 2000, 12000, k8c32g, yuan(2944), yuan(6, 72)},
    RdsClass{"16c64g", 16, 64, 2000, 14000, k16c64g, yuan(5888), yuan(13, 44)},
};

constexpr Money kMonthlyPerGb{800'000};
constexpr Money kHourlyPerGb{1'800};

}  // namespace

Money RdsClass::monthly(std::uint32_t gb) const { return monthly_base + kMonthlyPerGb * gb; }

Money RdsClass::hourly(std::uint32_t gb) const {
  // The list price is rounded to the nearest cent.
  return (hourly_base + kHourlyPerGb * gb + Money{5'000}).whole_cents();
}

std::span<const RdsClass> rds_classes() { return kClasses; }

const RdsClass& find_rds_class(std::string_view name, std::uint32_t storage_gb) {
  const auto* found = std::find_if(kClasses.begin(), kClasses.end(),
                                   [&](const RdsClass& c) { return c.name == name; });
  if (found == kClasses.end()) {
    std::vector<std::string_view> names;
    for (const auto& c : kClasses) names.push_back(c.name);
    throw Refusal(Errc::InvalidRequest, fmt::format("'{}' is no database class: there are {}.",
                                                    name, fmt::join(names, ", ")));
  }
  if (std::find(found->storage_gb.begin(), found->storage_gb.end(), storage_gb) ==
      found->storage_gb.end())
    throw Refusal(Errc::InvalidRequest,
                  fmt::format("A database of class {} has a storage of {} GB, not of {}.", name,
                              fmt::join(found->storage_gb, ", "), storage_gb));
  return *found;
}

Money price_of_seconds(Money hourly, std::int64_t seconds) {
  return {hourly.micro * seconds / 3600};
}

MessageFee message_fee(std::int64_t paid_units) {
  if (paid_units == 0) return {};
  if (paid_units <= 400'000) return {yuan(4, 24)};
  if (paid_units <= 6'000'000) return {yuan(42, 40)};
  return {yuan(424), paid_units > 300'000'000};
}

Money device_fee(std::int64_t active_devices) {
  return Money{8'000} * std::max<std::int64_t>(0, active_devices - kFreeDevices);
}

}  // namespace hub::instances
