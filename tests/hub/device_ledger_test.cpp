#include "hub/device_ledger.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

namespace hub {
namespace {

using Taken = std::map<std::string, std::int64_t>;

// "<device>/<rule>" and how many were received, of what one call of take() hands over.
Taken take(DeviceLedger& ledger, std::size_t max_lines) {
  Taken out;
  ledger.take(max_lines, [&](const std::string& device, const DeviceLedger::Line& line) {
    out[fmt::format("{}/{}", device, line.rule)] += line.counts.received;
  });
  return out;
}

void receive(DeviceLedger& ledger, std::string_view device, std::size_t rule = 0) {
  ++ledger.find(device).line(rule).counts.received;
}

TEST(DeviceLedger, HandsOverWhatChangedAndNothingTwice) {
  DeviceLedger ledger(10);
  receive(ledger, "a");
  receive(ledger, "b", 1);
  receive(ledger, "a");
  receive(ledger, "a", 2);
  EXPECT_EQ(ledger.dirty(), 2u);
  ledger.begin_round();
  EXPECT_EQ(take(ledger, 100), (Taken{{"a/0", 2}, {"a/2", 1}, {"b/1", 1}}));
  EXPECT_TRUE(ledger.round_done());
  receive(ledger, "b", 1);
  ledger.begin_round();
  EXPECT_EQ(take(ledger, 100), (Taken{{"b/1", 1}}));
  EXPECT_EQ(ledger.dirty(), 0u);
}

TEST(DeviceLedger, ARoundTakesOnlyThoseThatWereDirtyAtItsBegin) {
  DeviceLedger ledger(100);
  for (int i = 0; i < 10; ++i) receive(ledger, std::to_string(i));
  ledger.begin_round();
  Taken all = take(ledger, 4);
  EXPECT_EQ(all.size(), 4u);
  const std::string done = all.begin()->first.substr(0, 1);
  receive(ledger, done);
  receive(ledger, "new");
  for (int i = 0; i < 2; ++i) all.merge(take(ledger, 4));
  EXPECT_TRUE(ledger.round_done());
  EXPECT_EQ(all.size(), 10u);
  EXPECT_EQ(ledger.dirty(), 2u);
  ledger.begin_round();
  EXPECT_EQ(take(ledger, 100), (Taken{{done + "/0", 1}, {"new/0", 1}}));
}

TEST(DeviceLedger, DevicesBeyondTheBoundShareALine) {
  DeviceLedger ledger(4);
  for (int i = 0; i < 9; ++i) receive(ledger, std::to_string(i));
  EXPECT_EQ(ledger.size(), 4u);
  ledger.begin_round();
  EXPECT_EQ(take(ledger, 100), (Taken{{"0/0", 1}, {"1/0", 1}, {"2/0", 1}, {"3/0", 1}, {"/0", 5}}));
}

TEST(DeviceLedger, DevicesThatAreBookedMakeRoomForOthers) {
  DeviceLedger ledger(4);
  for (int i = 0; i < 4; ++i) receive(ledger, std::to_string(i));
  ledger.begin_round();
  take(ledger, 100);
  receive(ledger, "3");
  for (int i = 4; i < 8; ++i) receive(ledger, std::to_string(i));
  ledger.begin_round();
  EXPECT_EQ(take(ledger, 100), (Taken{{"3/0", 1}, {"4/0", 1}, {"5/0", 1}, {"6/0", 1}, {"/0", 1}}));
}

TEST(DeviceLedger, MessagesWithoutClientHaveTheEmptyDevice) {
  DeviceLedger ledger(4);
  receive(ledger, "");
  EXPECT_EQ(ledger.size(), 0u);
  ledger.begin_round();
  EXPECT_EQ(take(ledger, 100), (Taken{{"/0", 1}}));
}

}  // namespace
}  // namespace hub
