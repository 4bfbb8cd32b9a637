#pragma once

#include <cstdint>
#include <mutex>

namespace hub {

// The messages that the devices of a hub may send and get on a day of the bills (bill_day() in
// shard_usage.h). Shared by all shards, which ask twice per turn: so it may be passed by what one
// turn of the other shards brings. Thread-safe.
class DayAllowance {
 public:
  // cap: positive. used: of it, on that day, before this hub started.
  DayAllowance(std::int64_t cap, std::int32_t day, std::int64_t used);

  // Takes so many messages of that day off. Returns what is left of it; not positive when it is
  // used up, which the log tells once.
  std::int64_t spend(std::int32_t day, std::int64_t messages);

 private:
  const std::int64_t cap_;
  std::mutex mutex_;
  std::int32_t day_;
  std::int64_t used_;
  bool told_ = false;
};

}  // namespace hub
