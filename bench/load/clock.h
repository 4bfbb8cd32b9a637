#pragma once

#include <time.h>

#include <cstdint>

namespace hub::bench {

inline std::int64_t nanoseconds_of(clockid_t clock) noexcept {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

// The machine's monotonic clock: the same for every process on it.
inline std::int64_t now_ns() noexcept { return nanoseconds_of(CLOCK_MONOTONIC); }

// Milliseconds since 1970; to a tick of the kernel, which is cheap and enough for a payload.
inline std::int64_t wall_ms() noexcept { return nanoseconds_of(CLOCK_REALTIME_COARSE) / 1'000'000; }

}  // namespace hub::bench
