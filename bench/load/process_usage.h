#pragma once

#include <cstdint>
#include <span>

namespace hub::bench {

// Processor seconds, user and system, of this program so far.
struct OwnUsage {
  double user_seconds = 0;
  double system_seconds = 0;

  [[nodiscard]] double total() const noexcept { return user_seconds + system_seconds; }
};
[[nodiscard]] OwnUsage own_usage();

// What other processes, and all that descend from them, have used and hold, by /proc.
struct ProcessUsage {
  double cpu_seconds = 0;  // to a hundredth; with children that have ended and were waited for
  std::uint64_t rss_bytes = 0;
  std::uint64_t pss_bytes = 0;  // shared pages divided among those who share them
  std::uint32_t processes = 0;
};
// Pids that do not exist count nothing.
[[nodiscard]] ProcessUsage usage_of(std::span<const int> pids);

}  // namespace hub::bench
