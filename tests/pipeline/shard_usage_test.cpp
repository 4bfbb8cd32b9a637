#include "pipeline/shard_usage.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/pipeline/recording_writer.h"

namespace hub {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Timestamp noon_of(int day) { return Timestamp{} + std::chrono::days{day} + 12h; }

TEST(BillDay, BeginsAtMidnightOfUtcPlusEight) {
  EXPECT_EQ(bill_day(noon_of(100)), 100);
  EXPECT_EQ(bill_day(noon_of(100) + 4h - 1us), 100);
  EXPECT_EQ(bill_day(noon_of(100) + 4h), 101);
}

TEST(ShardUsage, IsBookedOnceUnderItsName) {
  ShardUsage usage{"m", nullptr, noon_of(100)};
  EXPECT_FALSE(usage.dirty());
  std::int32_t counted_on = -1;
  usage.meter().device("d1", counted_on);
  usage.meter().message(1);
  usage.meter().message(513);
  usage.meter().message(2);
  EXPECT_TRUE(usage.dirty());
  test::RecordingWriter batch;
  usage.book(batch);
  EXPECT_THAT(batch.usage, ElementsAre("m: 2 of 1", "m: 1 of 2"));
  EXPECT_THAT(batch.active_devices, ElementsAre("m: d1 on 100"));
  EXPECT_TRUE(usage.booked_up());
  EXPECT_FALSE(usage.dirty());
  test::RecordingWriter next;
  usage.book(next);
  EXPECT_THAT(next.usage, IsEmpty());
  EXPECT_THAT(next.active_devices, IsEmpty());
}

TEST(ShardUsage, ADeviceIsOfTheDayOnWhichTheTurnBegan) {
  ShardUsage usage{"m", nullptr, noon_of(100)};
  std::int32_t counted_on = -1;
  usage.meter().device("d1", counted_on);
  usage.begin_turn(noon_of(101));
  usage.meter().device("d1", counted_on);
  test::RecordingWriter batch;
  usage.book(batch);
  EXPECT_THAT(batch.active_devices, ElementsAre("m: d1 on 101", "m: d1 on 100"));
}

TEST(ShardUsage, ManyDevicesAreSpreadOverBatches) {
  ShardUsage usage{"m", nullptr, noon_of(100)};
  for (std::size_t i = 0; i < ShardUsage::kDevicesPerBatch + 1; ++i) {
    std::int32_t counted_on = -1;
    usage.meter().device(fmt::format("d{}", i), counted_on);
  }
  test::RecordingWriter first;
  usage.book(first);
  EXPECT_EQ(first.active_devices.size(), ShardUsage::kDevicesPerBatch);
  EXPECT_FALSE(usage.booked_up());
  test::RecordingWriter second;
  usage.book(second);
  EXPECT_EQ(second.active_devices.size(), 1u);
  EXPECT_TRUE(usage.booked_up());
}

TEST(ShardUsage, ShardsLearnFromTurnToTurnWhatIsLeftOfTheDay) {
  DayAllowance allowance{3, 100, 0};
  ShardUsage one{"m", &allowance, noon_of(100)};
  ShardUsage other{"m", &allowance, noon_of(100)};
  one.meter().message(1);
  one.meter().message(1);
  one.end_of_turn();
  other.begin_turn(noon_of(100));
  EXPECT_FALSE(other.meter().used_up());
  other.meter().message(1);
  EXPECT_TRUE(other.meter().used_up());
  other.end_of_turn();
  EXPECT_FALSE(one.meter().used_up());
  one.begin_turn(noon_of(100));
  EXPECT_TRUE(one.meter().used_up());
  one.begin_turn(noon_of(101));
  EXPECT_FALSE(one.meter().used_up());
}

}  // namespace
}  // namespace hub
