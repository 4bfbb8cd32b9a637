#include "storage/held_bytes.h"

#include <gtest/gtest.h>

namespace hub::storage {
namespace {

TEST(HeldBytes, AreCongestedFromNinetyPercentUntilBelowSeventy) {
  HeldBytes held(1'000);
  Batch first;
  Batch second;
  held.hold(first, 200);
  held.hold(second, 700);
  EXPECT_FALSE(held.congested());
  held.hold(second, 1);
  EXPECT_TRUE(held.congested());
  held.release(first);
  EXPECT_EQ(held.total(), 701u);
  EXPECT_TRUE(held.congested());
  held.release(second);
  EXPECT_EQ(held.total(), 0u);
  EXPECT_FALSE(held.congested());
}

TEST(HeldBytes, AreReleasedOnce) {
  HeldBytes held(1'000);
  Batch batch;
  held.hold(batch, 10);
  held.release(batch);
  held.release(batch);
  EXPECT_EQ(held.total(), 0u);
}

}  // namespace
}  // namespace hub::storage
