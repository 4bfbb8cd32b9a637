#include "storage/backoff.h"

#include <gtest/gtest.h>

namespace hub::storage {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, DoublesUpToItsBoundAndIsShortenedByAHalfAtMost) {
  std::minstd_rand random{1};
  const auto expect_within = [&](unsigned failures, std::chrono::milliseconds longest) {
    for (int i = 0; i < 100; ++i) {
      const auto pause = pause_after(failures, 50ms, 10s, random);
      EXPECT_LE(pause, longest);
      EXPECT_GE(pause, longest / 2);
    }
  };
  expect_within(0, 50ms);
  expect_within(1, 50ms);
  expect_within(2, 100ms);
  expect_within(5, 800ms);
  expect_within(9, 10s);
  expect_within(4'000'000'000, 10s);
}

TEST(Backoff, DiffersFromOneToTheNext) {
  std::minstd_rand random{1};
  EXPECT_NE(pause_after(3, 50ms, 10s, random), pause_after(3, 50ms, 10s, random));
}

}  // namespace
}  // namespace hub::storage
