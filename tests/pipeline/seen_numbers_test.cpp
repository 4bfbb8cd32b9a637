#include "pipeline/seen_numbers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <set>

namespace hub {
namespace {

std::string seen(const std::vector<std::int64_t>& numbers) {
  SeenNumbers out;
  for (const std::int64_t number : numbers) out.add(number);
  return out.to_string();
}

TEST(SeenNumbers, RunsBecomeOneRange) {
  EXPECT_EQ(seen({}), "{}");
  EXPECT_EQ(seen({5}), "{[5,6)}");
  EXPECT_EQ(seen({5, 6, 7}), "{[5,8)}");
  EXPECT_EQ(seen({7, 6, 5}), "{[5,8)}");
}

TEST(SeenNumbers, GapsStayUntilTheyAreFilled) {
  EXPECT_EQ(seen({1, 2, 5, 6}), "{[1,3),[5,7)}");
  EXPECT_EQ(seen({1, 2, 5, 6, 3}), "{[1,4),[5,7)}");
  EXPECT_EQ(seen({1, 2, 5, 6, 4}), "{[1,3),[4,7)}");
  EXPECT_EQ(seen({1, 2, 5, 6, 4, 3}), "{[1,7)}");
  EXPECT_EQ(seen({5, -3, 0}), "{[-3,-2),[0,1),[5,6)}");
}

TEST(SeenNumbers, TakesThoseOfOthers) {
  SeenNumbers numbers;
  for (const int n : {1, 2, 5, 9}) numbers.add(n);
  SeenNumbers others;
  for (const int n : {3, 4, 7, 12}) others.add(n);
  numbers.add(others);
  EXPECT_EQ(numbers.to_string(), "{[1,6),[7,8),[9,10),[12,13)}");
  others.clear();
  for (int n = 0; n < 20; ++n) others.add(n);
  numbers.add(others);
  EXPECT_EQ(numbers.to_string(), "{[0,20)}");
}

TEST(SeenNumbers, RepeatsChangeNothing) {
  EXPECT_EQ(seen({1, 2, 3, 2, 1, 3, 7, 2, 7}), "{[1,4),[7,8)}");
}

TEST(SeenNumbers, TheEndsOfTheNumbersAreNoTrap) {
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  SeenNumbers numbers;
  numbers.add(kLeast);
  numbers.add(kMost - 1);
  numbers.add(kMost);  // has no successor, and is left out
  EXPECT_EQ(numbers.to_string(),
            "{[-9223372036854775808,-9223372036854775807),"
            "[9223372036854775806,9223372036854775807)}");
}

TEST(SeenNumbers, AnyOrderGivesTheSame) {
  std::minstd_rand random(7);
  for (int round = 0; round < 200; ++round) {
    std::set<std::int64_t> chosen;
    for (int i = 0; i < 40; ++i) chosen.insert(static_cast<std::int64_t>(random() % 60));
    std::vector<std::int64_t> ordered(chosen.begin(), chosen.end());
    std::vector<std::int64_t> shuffled = ordered;
    shuffled.insert(shuffled.end(), ordered.begin(), ordered.begin() + 5);
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    ASSERT_EQ(seen(shuffled), seen(ordered));
  }
}

TEST(SeenNumbers, TheLowestOfTooManyRangesAreJoinedAndTheirGapCounted) {
  SeenNumbers numbers;
  for (std::int64_t n = 0; n < 70; ++n) numbers.add(n * 10);
  EXPECT_EQ(numbers.given_up(), 6 * 9);
  EXPECT_TRUE(numbers.to_string().starts_with("{[0,61),[70,71),"));
  numbers.clear();
  EXPECT_TRUE(numbers.empty());
  EXPECT_EQ(numbers.given_up(), 0);
}

TEST(SeenNumbers, GapsMayBeLargerThanTheirCount) {
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  SeenNumbers numbers;
  numbers.add(kLeast);
  for (std::int64_t n = 0; n < 70; ++n) numbers.add(kMost - 200 + 2 * n);
  EXPECT_EQ(numbers.given_up(), kMost);
}

}  // namespace
}  // namespace hub
