#include "pipeline/booking_schedule.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "rules/rule_file.h"
#include "tests/pipeline/recording_writer.h"

namespace hub {
namespace {

class NoTables final : public rules::Catalogue {
 public:
  [[nodiscard]] std::optional<TableSchema> table(std::string_view) const override { return {}; }
};

std::shared_ptr<const rules::RuleSet> one_rule() {
  constexpr std::string_view kRule =
      "[[rule]]\nname = \"r\"\nsql = 'SELECT topic FROM \"#\"'\n"
      "[[rule.action]]\ntype = \"republish\"\ntopic = \"out\"\n";
  return rules::compile_rules(rules::parse_rules(kRule, "rules.toml").rules, NoTables{}).rules;
}

class BookingScheduleTest : public ::testing::Test {
 protected:
  void message(std::string_view device) {
    accounts.begin_message(device);
    accounts.received(rules->plan(0));
    accounts.ended(rules->plan(0), Ending::filtered);
  }

  boost::asio::io_context io{1};
  test::RecordingWriter writer;
  std::shared_ptr<const rules::RuleSet> rules = one_rule();
  MessageAccounts accounts{*rules};
  ShardUsage usage{"m", nullptr, Timestamp{}};
  BookingSchedule schedule{io, writer, accounts, &usage};
};

TEST_F(BookingScheduleTest, WhatIsNewWaitsForItsTime) {
  message("d1");
  schedule.end_of_turn();
  EXPECT_EQ(writer.asked_for, 0);
  EXPECT_TRUE(schedule.idle());
  io.poll();
  schedule.book();  // with a batch that goes anyway
  EXPECT_TRUE(writer.devices.empty());
  EXPECT_EQ(writer.rules.size(), 1u);
}

TEST_F(BookingScheduleTest, AStopBooksAtOnceAndWaitsForIt) {
  message("d1");
  usage.meter().message(1);
  schedule.prepare_stop();
  EXPECT_FALSE(schedule.idle());
  schedule.end_of_turn();
  EXPECT_EQ(writer.asked_for, 1);
  schedule.book();
  EXPECT_TRUE(schedule.idle());
  EXPECT_EQ(writer.devices.size(), 1u);
  EXPECT_EQ(writer.usage.size(), 1u);
}

TEST_F(BookingScheduleTest, ManyDevicesAreBookedBeforeTheirTime) {
  for (std::size_t i = 0; i < MessageAccounts::kManyDirty; ++i) message(fmt::format("d{}", i));
  schedule.end_of_turn();
  EXPECT_EQ(writer.asked_for, 1);
}

TEST_F(BookingScheduleTest, WhatABatchDoesNotTakeGoesWithTheNext) {
  for (std::size_t i = 0; i < MessageAccounts::kDevicesPerBatch + 1; ++i) {
    message(fmt::format("d{}", i));
  }
  schedule.prepare_stop();
  schedule.end_of_turn();
  schedule.book();
  EXPECT_EQ(writer.asked_for, 1) << "not from within the batch that closes";
  EXPECT_FALSE(schedule.idle());
  io.poll();
  EXPECT_EQ(writer.asked_for, 2);
  EXPECT_EQ(writer.turns_ended, 1);
  schedule.book();
  EXPECT_TRUE(schedule.idle());
  EXPECT_EQ(writer.devices.size(), MessageAccounts::kDevicesPerBatch + 1);
}

}  // namespace
}  // namespace hub
