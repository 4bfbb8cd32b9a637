#include "pipeline/day_allowance.h"

#include <gtest/gtest.h>

namespace hub {
namespace {

TEST(DayAllowance, IsOneForAllThatSpendOfIt) {
  DayAllowance allowance{10, 5, 3};
  EXPECT_EQ(allowance.spend(5, 0), 7);
  EXPECT_EQ(allowance.spend(5, 4), 3);
  EXPECT_EQ(allowance.spend(5, 4), -1);
}

TEST(DayAllowance, IsWholeAgainOnAnotherDay) {
  DayAllowance allowance{10, 5, 12};
  EXPECT_EQ(allowance.spend(5, 0), -2);
  EXPECT_EQ(allowance.spend(6, 1), 9);
}

TEST(DayAllowance, TakesWhatBeganBeforeMidnightOffTheNewDay) {
  DayAllowance allowance{10, 5, 0};
  EXPECT_EQ(allowance.spend(6, 2), 8);
  EXPECT_EQ(allowance.spend(5, 1), 7);
  EXPECT_EQ(allowance.spend(6, 0), 7);
}

TEST(DayAllowance, IsNotLostToAClockThatWasWrong) {
  DayAllowance allowance{10, 500, 10};
  EXPECT_EQ(allowance.spend(5, 1), 9);
}

}  // namespace
}  // namespace hub
