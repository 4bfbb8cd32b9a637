#include "broker/deadlines.h"

#include <gtest/gtest.h>

#include <chrono>

namespace hub::broker {
namespace {

using Kind = Deadlines::Kind;

constexpr SteadyTime at(int seconds) { return SteadyTime{} + std::chrono::seconds{seconds}; }

TEST(Deadlines, ComeInTheOrderOfTheirTimes) {
  Deadlines deadlines;
  for (const int seconds : {3, 1, 2}) deadlines.add(at(seconds), Kind::will, 7);
  EXPECT_EQ(deadlines.earliest(), at(1));
  EXPECT_FALSE(deadlines.take_due(at(0)));
  for (const int seconds : {1, 2, 3}) EXPECT_EQ(deadlines.take_due(at(9))->at, at(seconds));
  EXPECT_FALSE(deadlines.take_due(at(9)));
}

// A client that comes and goes leaves one behind with every connection.
TEST(Deadlines, AreNoMoreThanAFewTimesThoseThatSomebodyWaitsFor) {
  constexpr std::uint64_t kWaiting = 10'000;
  const auto is_wanted = [](const Deadlines::Deadline& deadline) {
    return deadline.owner < kWaiting;
  };
  Deadlines deadlines;
  for (std::uint64_t owner = 0; owner < 1'000'000; ++owner) {
    deadlines.add(at(static_cast<int>(owner % 100)), Kind::session_expiry, owner);
    deadlines.tidy(is_wanted);
    ASSERT_LE(deadlines.size(), 3 * kWaiting);
  }
  std::uint64_t wanted = 0;
  SteadyTime last{};
  while (const auto due = deadlines.take_due(at(100))) {
    if (is_wanted(*due)) ++wanted;
    ASSERT_GE(due->at, last);
    last = due->at;
  }
  EXPECT_EQ(wanted, kWaiting);
}

}  // namespace
}  // namespace hub::broker
