#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace hub::bench {

// Counts of durations in log-linear buckets, as HdrHistogram has them: exact below 256 ns, and
// 128 buckets to each doubling above, so that a reported value is within 0.4 % of what was
// recorded, up to 137 s. A longer one counts as 137 s; the maximum is kept exactly.
//
// 31 KiB, no allocation; record() is a few instructions. One thread's; merge() joins several.
class Histogram {
 public:
  void record(std::int64_t nanoseconds, std::uint64_t count = 1) noexcept {
    const auto value = nanoseconds > 0 ? static_cast<std::uint64_t>(nanoseconds) : 0;
    counts_[bucket_of(value)] += count;
    total_ += count;
    sum_ += value * count;
    if (value > max_) max_ = value;
  }

  void merge(const Histogram& other) noexcept;
  void clear() noexcept { *this = Histogram{}; }

  [[nodiscard]] std::uint64_t count() const noexcept { return total_; }
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }
  [[nodiscard]] double mean() const noexcept {
    return total_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(total_);
  }

  // The smallest recorded duration (as its bucket's middle) that at least `fraction` of all do
  // not exceed; 0 when nothing was recorded. fraction is 0 to 1.
  [[nodiscard]] std::uint64_t quantile(double fraction) const noexcept;

 private:
  static constexpr unsigned kSubBits = 7;  // 2^7 buckets to a doubling
  static constexpr unsigned kMaxBits = 37;
  static constexpr std::uint64_t kMaxValue = (std::uint64_t{1} << kMaxBits) - 1;
  static constexpr std::size_t kBuckets = (kMaxBits - kSubBits + 1) << kSubBits;

  // Values of kSubBits + 1 bits are their own bucket; a longer one is cut to its top kSubBits + 1
  // bits, and the number of bits cut picks the row of buckets.
  static constexpr std::size_t bucket_of(std::uint64_t value) noexcept {
    if (value > kMaxValue) value = kMaxValue;
    const unsigned bits = static_cast<unsigned>(std::bit_width(value));
    const unsigned cut = bits > kSubBits + 1 ? bits - (kSubBits + 1) : 0;
    return (std::size_t{cut} << kSubBits) + static_cast<std::size_t>(value >> cut);
  }
  static std::uint64_t middle_of(std::size_t bucket) noexcept;

  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace hub::bench
