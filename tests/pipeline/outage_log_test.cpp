#include "pipeline/outage_log.h"

#include <gtest/gtest.h>

#include <vector>

namespace hub {
namespace {

using storage::DatabaseFault;
using namespace std::chrono_literals;

class OutageLogTest : public testing::Test {
 protected:
  std::vector<std::string> lines;
  OutageLog log{[this](log::Level, const std::string& line) { lines.push_back(line); }};
  const OutageLog::Clock::time_point start{};
  const DatabaseFault refused{"", "connection refused"};
  const DatabaseFault full{"53100", "could not extend file"};
};

TEST_F(OutageLogTest, TellsOnceHoweverManyShardsAndAttemptsThereAre) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    for (std::uint32_t shard = 0; shard < 4; ++shard) {
      log.unavailable(shard, {"", "attempt " + std::to_string(attempt)}, start);
    }
  }
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0],
            "the database is away, acknowledgements wait: it cannot be reached; see that "
            "PostgreSQL runs and that the way to it is open: attempt 0");
}

TEST_F(OutageLogTest, SaysWhatWaits) {
  OutageLog draining{[this](log::Level, const std::string& line) { lines.push_back(line); },
                     "the spool waits"};
  draining.unavailable(0, full, start);
  EXPECT_EQ(lines.at(0).substr(0, 54), "the database is away, the spool waits: its disk is ful");
}

TEST_F(OutageLogTest, TellsThatItIsBackWhenTheLastShardHasIt) {
  log.unavailable(0, refused, start);
  log.unavailable(1, refused, start + 1s);
  log.available(0, start + 2s);
  EXPECT_EQ(lines.size(), 1u);
  log.available(1, start + 90s);
  log.available(1, start + 91s);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1], "the database is back after 90.0 s");
}

TEST_F(OutageLogTest, TellsAnotherReason) {
  log.unavailable(0, refused, start);
  log.unavailable(0, full, start + 1s);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(
      lines[1],
      "the database is away, acknowledgements wait: its disk is full; free or add space where "
      "PostgreSQL keeps its data: could not extend file (SQLSTATE 53100)");
}

TEST_F(OutageLogTest, TellsReasonsThatTakeTurnsOnceAMinute) {
  for (int second = 0; second < 60; second += 2) {
    log.unavailable(0, refused, start + std::chrono::seconds(second));
    log.unavailable(0, full, start + std::chrono::seconds(second + 1));
  }
  EXPECT_EQ(lines.size(), 2u);
  log.unavailable(0, refused, start + 60s);
  EXPECT_EQ(lines.size(), 3u);
}

TEST_F(OutageLogTest, TellsTheNextOutageAnew) {
  log.unavailable(0, refused, start);
  log.available(0, start + 1s);
  log.unavailable(0, refused, start + 2s);
  EXPECT_EQ(lines.size(), 3u);
}

TEST_F(OutageLogTest, SaysThatABatchWasRolledBackWithoutAlarm) {
  log.unavailable(0, {"40P01", "deadlock detected"}, start);
  log.available(0, start + 1s);
  EXPECT_EQ(lines, (std::vector<std::string>{
                       "a batch is sent again, acknowledgements wait: deadlock detected "
                       "(SQLSTATE 40P01)",
                       "the batch is in"}));
}

TEST_F(OutageLogTest, SaysThatTheServerEndedTheConnectionWithoutAlarm) {
  log.unavailable(0, {"57P01", "terminating connection"}, start);
  log.unavailable(1, {"57P01", "terminating connection"}, start);
  log.unavailable(0, refused, start + 1s);
  log.available(0, start + 2s);
  log.available(1, start + 2s);
  EXPECT_EQ(lines, (std::vector<std::string>{
                       "the database ended the hub's connection, acknowledgements wait until "
                       "the next one is there: terminating connection (SQLSTATE 57P01)",
                       "the database is away, acknowledgements wait: it cannot be reached; see "
                       "that PostgreSQL runs and that the way to it is open: connection refused",
                       "the database is back after 2.0 s"}));
}

TEST_F(OutageLogTest, TellsOnceAMinuteOfAServerThatEndsConnectionAfterConnection) {
  const DatabaseFault ended{"57P01", "terminating connection"};
  for (int second = 0; second < 60; second += 2) {
    log.unavailable(0, ended, start + std::chrono::seconds(second));
    log.available(0, start + std::chrono::seconds(second + 1));
  }
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1], "the database is back after 1.0 s");
  log.unavailable(0, ended, start + 60s);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_NE(lines[2].find("(SQLSTATE 57P01) (and 29 more since this was last told)"),
            std::string::npos);
  log.available(0, start + 61s);
  log.unavailable(0, ended, start + 62s);
  log.unavailable(0, refused, start + 63s);
  log.available(0, start + 64s);
  ASSERT_EQ(lines.size(), 6u) << "another reason is told, and that it is over";
  EXPECT_EQ(lines[5], "the database is back after 2.0 s");
}

TEST_F(OutageLogTest, TellsOnceOfATableThatNoShardCanWrite) {
  const storage::RowTarget target{"r", "dump a", "public", "a", {}, {}, {}};
  const DatabaseFault gone{"42P01", "relation \"a\" does not exist"};
  for (std::uint32_t shard = 0; shard < 3; ++shard) log.target_fault(shard, target, gone);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0],
            "rule \"r\": table public.a cannot be written, its rows become dead letters: relation "
            "\"a\" does not exist (SQLSTATE 42P01); mend the table, its permissions or the rule, "
            "then run iothub deadletter replay");
  for (std::uint32_t shard = 0; shard < 2; ++shard) log.target_usable(shard, target);
  EXPECT_EQ(lines.size(), 1u);
  log.target_usable(2, target);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1], "rule \"r\": table public.a can be written again");
}

TEST_F(OutageLogTest, TellsOnceThatTheSpoolIsUsedFullAndEmpty) {
  for (std::uint32_t shard = 0; shard < 2; ++shard) log.spooling(shard, start);
  for (std::uint32_t shard = 0; shard < 2; ++shard) log.spool_unavailable(shard, {true, "why"});
  for (std::uint32_t shard = 0; shard < 2; ++shard) log.spool_available(shard);
  log.spool_drained(0, start + 1s);
  EXPECT_EQ(lines.size(), 3u);
  log.spool_drained(1, start + 2s);
  log.spool_lost(1, "it is corrupt");
  EXPECT_EQ(lines,
            (std::vector<std::string>{
                "messages are acknowledged from the spool, and go into the database when it is "
                "back",
                "the spool is full, acknowledgements wait for the database: why",
                "the spool takes messages again",
                "the spool is empty after 2.0 s: the database has all of it",
                "one batch of the spool cannot be read, and what was acknowledged from it is lost: "
                "it is corrupt"}));
}

}  // namespace
}  // namespace hub
