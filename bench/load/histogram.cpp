#include "bench/load/histogram.h"

#include <algorithm>
#include <cmath>

namespace hub::bench {

void Histogram::merge(const Histogram& other) noexcept {
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket)
    counts_[bucket] += other.counts_[bucket];
  total_ += other.total_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

std::uint64_t Histogram::quantile(double fraction) const noexcept {
  if (total_ == 0) return 0;
  const double wanted = std::ceil(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(total_));
  const auto rank = std::clamp(static_cast<std::uint64_t>(wanted), std::uint64_t{1}, total_);
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket];
    if (seen >= rank) return std::min(middle_of(bucket), max_);
  }
  return max_;
}

std::uint64_t Histogram::middle_of(std::size_t bucket) noexcept {
  constexpr std::size_t row = std::size_t{1} << kSubBits;
  if (bucket < 2 * row) return bucket;
  const auto cut = static_cast<unsigned>(bucket / row - 1);
  const std::uint64_t top = bucket - (std::size_t{cut} << kSubBits);
  return (top << cut) + (std::uint64_t{1} << cut) / 2;
}

}  // namespace hub::bench
