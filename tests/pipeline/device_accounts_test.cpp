#include "pipeline/device_accounts.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

namespace hub {
namespace {

using Taken = std::map<std::string, std::int64_t>;

// Adds "<device>/<rule>" and how many were received.
DeviceAccounts::Take into(Taken& out) {
  return [&out](const std::string& device, std::size_t rule, const DeviceNumbers& numbers) {
    out[fmt::format("{}/{}", device, rule)] += numbers.counts.received;
  };
}
Taken take(DeviceAccounts& accounts, std::size_t max_lines) {
  Taken out;
  accounts.take(max_lines, into(out));
  return out;
}
Taken journal(DeviceAccounts& accounts) {
  Taken out;
  accounts.journal(into(out));
  return out;
}
void begin_round(DeviceAccounts& accounts) {
  journal(accounts);
  accounts.begin_round();
}

void receive(DeviceAccounts& accounts, std::string_view device, std::size_t rule = 0) {
  ++accounts.find(device).fresh(rule).counts.received;
}

TEST(DeviceAccounts, HandsOverWhatChangedAndNothingTwice) {
  DeviceAccounts accounts(10);
  receive(accounts, "a");
  receive(accounts, "b", 1);
  receive(accounts, "a");
  receive(accounts, "a", 2);
  EXPECT_EQ(accounts.waiting(), 2u);
  begin_round(accounts);
  EXPECT_EQ(take(accounts, 100), (Taken{{"a/0", 2}, {"a/2", 1}, {"b/1", 1}}));
  EXPECT_TRUE(accounts.round_done());
  receive(accounts, "b", 1);
  begin_round(accounts);
  EXPECT_EQ(take(accounts, 100), (Taken{{"b/1", 1}}));
  EXPECT_TRUE(accounts.clean());
}

TEST(DeviceAccounts, WhatIsJournalledWaitsToBeBooked) {
  DeviceAccounts accounts(10);
  receive(accounts, "a");
  receive(accounts, "b");
  EXPECT_EQ(journal(accounts), (Taken{{"a/0", 1}, {"b/0", 1}}));
  EXPECT_EQ(journal(accounts), Taken{});
  receive(accounts, "a");
  EXPECT_EQ(journal(accounts), (Taken{{"a/0", 1}}));
  accounts.begin_round();
  EXPECT_EQ(take(accounts, 100), (Taken{{"a/0", 2}, {"b/0", 1}}));
  EXPECT_TRUE(accounts.clean());
}

TEST(DeviceAccounts, ARoundTakesOnlyThoseThatWereDirtyAtItsBegin) {
  DeviceAccounts accounts(100);
  for (int i = 0; i < 10; ++i) receive(accounts, std::to_string(i));
  begin_round(accounts);
  Taken all = take(accounts, 4);
  EXPECT_EQ(all.size(), 4u);
  const std::string done = all.begin()->first.substr(0, 1);
  const std::string left = all.contains("0/0") ? "9" : "0";
  for (const std::string& device : {done, left, std::string("new")}) receive(accounts, device);
  for (int i = 0; i < 2; ++i) all.merge(take(accounts, 4));
  EXPECT_TRUE(accounts.round_done());
  EXPECT_EQ(all.size(), 10u);
  for (const auto& [device, received] : all) EXPECT_EQ(received, 1) << device;
  EXPECT_EQ(accounts.waiting(), 3u);
  begin_round(accounts);
  EXPECT_EQ(take(accounts, 100), (Taken{{done + "/0", 1}, {left + "/0", 1}, {"new/0", 1}}));
}

TEST(DeviceAccounts, DevicesBeyondTheBoundShareALine) {
  DeviceAccounts accounts(4);
  for (int i = 0; i < 9; ++i) receive(accounts, std::to_string(i));
  EXPECT_EQ(accounts.size(), 4u);
  begin_round(accounts);
  EXPECT_EQ(take(accounts, 100),
            (Taken{{"0/0", 1}, {"1/0", 1}, {"2/0", 1}, {"3/0", 1}, {"/0", 5}}));
}

TEST(DeviceAccounts, DevicesThatAreBookedMakeRoomForOthers) {
  DeviceAccounts accounts(4);
  for (int i = 0; i < 4; ++i) receive(accounts, std::to_string(i));
  begin_round(accounts);
  take(accounts, 100);
  receive(accounts, "3");
  for (int i = 4; i < 8; ++i) receive(accounts, std::to_string(i));
  begin_round(accounts);
  EXPECT_EQ(take(accounts, 100),
            (Taken{{"3/0", 1}, {"4/0", 1}, {"5/0", 1}, {"6/0", 1}, {"/0", 1}}));
}

TEST(DeviceAccounts, MessagesWithoutClientHaveTheEmptyDevice) {
  DeviceAccounts accounts(4);
  receive(accounts, "");
  EXPECT_EQ(accounts.size(), 0u);
  begin_round(accounts);
  EXPECT_EQ(take(accounts, 100), (Taken{{"/0", 1}}));
}

}  // namespace
}  // namespace hub
