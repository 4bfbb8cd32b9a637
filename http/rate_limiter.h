#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>

namespace hub::http {

// So many calls per second of each caller, and a burst of some more. Thread-safe, and of bounded
// size: callers that have been quiet are forgotten.
class RateLimiter {
 public:
  using Clock = std::chrono::steady_clock;

  RateLimiter(double per_second, double burst) : per_second_(per_second), burst_(burst) {}

  // Counts a call; false when it is one too many.
  [[nodiscard]] bool admit(const std::string& caller, Clock::time_point now) {
    const std::lock_guard lock{mutex_};
    if (buckets_.size() >= kMaxCallers) forget_the_quiet(now);
    auto [place, is_new] = buckets_.try_emplace(caller, Bucket{burst_, now});
    auto& bucket = place->second;
    bucket.tokens = level(bucket, now);
    bucket.filled_at = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

 private:
  static constexpr std::size_t kMaxCallers = 10'000;

  struct Bucket {
    double tokens;
    Clock::time_point filled_at;
  };

  double level(const Bucket& bucket, Clock::time_point now) const {
    const std::chrono::duration<double> passed = now - bucket.filled_at;
    return std::min(burst_, bucket.tokens + passed.count() * per_second_);
  }

  void forget_the_quiet(Clock::time_point now) {
    std::erase_if(buckets_, [&](const auto& entry) { return level(entry.second, now) >= burst_; });
    if (buckets_.size() >= kMaxCallers) buckets_.clear();  // all are busy: a flood of callers
  }

  const double per_second_;
  const double burst_;
  std::mutex mutex_;
  std::map<std::string, Bucket> buckets_;  // guarded by mutex_
};

}  // namespace hub::http
