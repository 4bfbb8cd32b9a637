#include "bench/load/histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

namespace hub::bench {
namespace {

TEST(Histogram, IsEmptyAtFirst) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.quantile(0.5), 0U);
  EXPECT_EQ(histogram.max(), 0U);
}

TEST(Histogram, GivesBackEveryValueToHalfAPercent) {
  for (double value = 1; value < 1e11; value *= 1.0173) {
    Histogram histogram;
    const auto recorded = static_cast<std::int64_t>(value);
    histogram.record(recorded);
    histogram.record(std::int64_t{100'000'000'000});  // so that the maximum does not help
    const auto read = static_cast<double>(histogram.quantile(0.5));
    EXPECT_LE(std::abs(read - static_cast<double>(recorded)), 0.005 * static_cast<double>(recorded))
        << recorded;
  }
}

TEST(Histogram, CountsRanksFromTheSmallest) {
  Histogram histogram;
  for (int value = 1; value <= 100; ++value) histogram.record(value);
  EXPECT_EQ(histogram.quantile(0), 1U);
  EXPECT_EQ(histogram.quantile(0.01), 1U);
  EXPECT_EQ(histogram.quantile(0.5), 50U);
  EXPECT_EQ(histogram.quantile(0.99), 99U);
  EXPECT_EQ(histogram.quantile(1), 100U);
}

TEST(Histogram, CountsManyAtOnce) {
  Histogram histogram;
  histogram.record(10, 99);
  histogram.record(1000, 1);
  EXPECT_EQ(histogram.count(), 100U);
  EXPECT_EQ(histogram.quantile(0.99), 10U);
  EXPECT_NEAR(histogram.mean(), 19.9, 1e-9);
}

TEST(Histogram, KeepsTheMaximumExactlyAndReportsNothingAboveIt) {
  Histogram histogram;
  histogram.record(1'234'567'891);
  EXPECT_EQ(histogram.max(), 1'234'567'891U);
  EXPECT_LE(histogram.quantile(1), histogram.max());
}

TEST(Histogram, TakesWhatIsOutOfRange) {
  Histogram histogram;
  histogram.record(-5);
  EXPECT_EQ(histogram.quantile(1), 0U);
  histogram.record(std::int64_t{1} << 60);
  EXPECT_EQ(histogram.max(), std::uint64_t{1} << 60);
  EXPECT_NEAR(static_cast<double>(histogram.quantile(1)), 137.4e9, 0.6e9);
}

TEST(Histogram, MergesAsIfRecordedInOne) {
  Histogram one;
  Histogram other;
  Histogram both;
  for (int value = 1; value < 5000; value += 7) {
    (value % 2 == 0 ? one : other).record(value * 31);
    both.record(value * 31);
  }
  one.merge(other);
  EXPECT_EQ(one.count(), both.count());
  EXPECT_EQ(one.max(), both.max());
  EXPECT_DOUBLE_EQ(one.mean(), both.mean());
  for (const double fraction : {0.1, 0.5, 0.9, 0.999}) {
    EXPECT_EQ(one.quantile(fraction), both.quantile(fraction));
  }
}

}  // namespace
}  // namespace hub::bench
