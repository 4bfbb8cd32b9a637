#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "instances/core/money.h"

// What things cost. Values only: no clock, no database.

namespace hub::instances {

// --- Database instances ---

struct RdsClass {
  std::string_view name;  // "1c1g": cores and gigabytes of memory
  std::uint32_t cores;
  std::uint32_t memory_gb;
  std::uint32_t max_connections;
  std::uint32_t max_iops;
  std::span<const std::uint32_t> storage_gb;  // what can be chosen
  Money monthly_base;
  Money hourly_base;

  [[nodiscard]] Money monthly(std::uint32_t storage_gb) const;
  [[nodiscard]] Money hourly(std::uint32_t storage_gb) const;
};

[[nodiscard]] std::span<const RdsClass> rds_classes();
// Throws Refusal(InvalidRequest) that lists what there is.
const RdsClass& find_rds_class(std::string_view name, std::uint32_t storage_gb);

// --- Pay by configuration: per clock hour, to the second ---

[[nodiscard]] Money price_of_seconds(Money hourly, std::int64_t seconds);

// --- Pay by consumption: a hub's messages and devices of one day ---

inline constexpr std::int64_t kFreeDevices = 10;

// Units of 2 KB of a message that has so many of 0.5 KB, begun ones of its payload; 1 at least.
[[nodiscard]] constexpr std::int64_t paid_units_of(std::int64_t half_kilobytes) {
  return (half_kilobytes + 3) / 4;
}

// Counts messages against the month's free units. A message that arrives while some are left uses
// them up and is not paid for; any other adds its paid units. Sizes are begun half kilobytes.
struct MessageMeter {
  std::int64_t free_left = 0;
  std::int64_t free_used = 0;
  std::int64_t paid_units = 0;

  constexpr void count(std::int64_t half_kilobytes, std::int64_t messages = 1) {
    const auto fitting = (free_left + half_kilobytes - 1) / half_kilobytes;
    const auto free = messages < fitting ? messages : fitting;
    const auto used = free * half_kilobytes < free_left ? free * half_kilobytes : free_left;
    free_left -= used;
    free_used += used;
    paid_units += (messages - free) * paid_units_of(half_kilobytes);
  }
};

struct MessageFee {
  Money fee;
  bool contact_sales = false;  // more than the highest tier
};
// The flat fee of a day, by its paid units.
[[nodiscard]] MessageFee message_fee(std::int64_t paid_units);
[[nodiscard]] Money device_fee(std::int64_t active_devices);

}  // namespace hub::instances
