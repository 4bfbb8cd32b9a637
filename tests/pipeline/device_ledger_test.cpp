#include "pipeline/device_ledger.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

namespace hub {
namespace {

using Taken = std::map<std::string, std::int64_t>;

// Adds "<device>/<rule>" and how many were received.
DeviceLedger::Take into(Taken& out) {
  return [&out](const std::string& device, std::size_t rule, const DeviceNumbers& numbers) {
    out[fmt::format("{}/{}", device, rule)] += numbers.counts.received;
  };
}
Taken take(DeviceLedger& ledger, std::size_t max_lines) {
  Taken out;
  ledger.take(max_lines, into(out));
  return out;
}
Taken journal(DeviceLedger& ledger) {
  Taken out;
  ledger.journal(into(out));
  return out;
}
void begin_round(DeviceLedger& ledger) {
  journal(ledger);
  ledger.begin_round();
}

void receive(DeviceLedger& ledger, std::string_view device, std::size_t rule = 0) {
  ++ledger.find(device).fresh(rule).counts.received;
}

TEST(DeviceLedger, HandsOverWhatChangedAndNothingTwice) {
  DeviceLedger ledger(10);
  receive(ledger, "a");
  receive(ledger, "b", 1);
  receive(ledger, "a");
  receive(ledger, "a", 2);
  EXPECT_EQ(ledger.waiting(), 2u);
  begin_round(ledger);
  EXPECT_EQ(take(ledger, 100), (Taken{{"a/0", 2}, {"a/2", 1}, {"b/1", 1}}));
  EXPECT_TRUE(ledger.round_done());
  receive(ledger, "b", 1);
  begin_round(ledger);
  EXPECT_EQ(take(ledger, 100), (Taken{{"b/1", 1}}));
  EXPECT_TRUE(ledger.clean());
}

TEST(DeviceLedger, WhatIsJournalledWaitsToBeBooked) {
  DeviceLedger ledger(10);
  receive(ledger, "a");
  receive(ledger, "b");
  EXPECT_EQ(journal(ledger), (Taken{{"a/0", 1}, {"b/0", 1}}));
  EXPECT_EQ(journal(ledger), Taken{});
  receive(ledger, "a");
  EXPECT_EQ(journal(ledger), (Taken{{"a/0", 1}}));
  ledger.begin_round();
  EXPECT_EQ(take(ledger, 100), (Taken{{"a/0", 2}, {"b/0", 1}}));
  EXPECT_TRUE(ledger.clean());
}

TEST(DeviceLedger, ARoundTakesOnlyThoseThatWereDirtyAtItsBegin) {
  DeviceLedger ledger(100);
  for (int i = 0; i < 10; ++i) receive(ledger, std::to_string(i));
  begin_round(ledger);
  Taken all = take(ledger, 4);
  EXPECT_EQ(all.size(), 4u);
  const std::string done = all.begin()->first.substr(0, 1);
  const std::string left = all.contains("0/0") ? "9" : "0";
  for (const std::string& device : {done, left, std::string("new")}) receive(ledger, device);
  for (int i = 0; i < 2; ++i) all.merge(take(ledger, 4));
  EXPECT_TRUE(ledger.round_done());
  EXPECT_EQ(all.size(), 10u);
  for (const auto& [device, received] : all) EXPECT_EQ(received, 1) << device;
  EXPECT_EQ(ledger.waiting(), 3u);
  begin_round(ledger);
  EXPECT_EQ(take(ledger, 100), (Taken{{done + "/0", 1}, {left + "/0", 1}, {"new/0", 1}}));
}

TEST(DeviceLedger, DevicesBeyondTheBoundShareALine) {
  DeviceLedger ledger(4);
  for (int i = 0; i < 9; ++i) receive(ledger, std::to_string(i));
  EXPECT_EQ(ledger.size(), 4u);
  begin_round(ledger);
  EXPECT_EQ(take(ledger, 100), (Taken{{"0/0", 1}, {"1/0", 1}, {"2/0", 1}, {"3/0", 1}, {"/0", 5}}));
}

TEST(DeviceLedger, DevicesThatAreBookedMakeRoomForOthers) {
  DeviceLedger ledger(4);
  for (int i = 0; i < 4; ++i) receive(ledger, std::to_string(i));
  begin_round(ledger);
  take(ledger, 100);
  receive(ledger, "3");
  for (int i = 4; i < 8; ++i) receive(ledger, std::to_string(i));
  begin_round(ledger);
  EXPECT_EQ(take(ledger, 100), (Taken{{"3/0", 1}, {"4/0", 1}, {"5/0", 1}, {"6/0", 1}, {"/0", 1}}));
}

TEST(DeviceLedger, MessagesWithoutClientHaveTheEmptyDevice) {
  DeviceLedger ledger(4);
  receive(ledger, "");
  EXPECT_EQ(ledger.size(), 0u);
  begin_round(ledger);
  EXPECT_EQ(take(ledger, 100), (Taken{{"/0", 1}}));
}

}  // namespace
}  // namespace hub
