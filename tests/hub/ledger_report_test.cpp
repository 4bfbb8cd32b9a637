#include "hub/ledger_report.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace hub {
namespace {

HubReport report() {
  MessageAccounts::RuleAccount account;
  account.rule = "it's \"r\"\n";
  account.taken = {.received = 12,
                   .committed = 5,
                   .filtered = 3,
                   .dead_lettered = 2,
                   .nothing_to_store = 1,
                   .shed_storage_full = 1};
  // One of those that were given to storage has proved to be a dead letter.
  account.booked = {.received = 7, .committed = 3, .filtered = 2, .dead_lettered = 2};
  HubReport out;
  out.hub_id = "h";
  out.shards.resize(2);
  out.shards[0].sink.last_batch = 17;
  out.shards[0].sink.rules = {account};
  out.shards[1].sink.rules = {account};
  out.shards[0].sink.spooled = {{}, 1, 3, 70};
  out.shards[1].sink.spooled = {{}, 2, 4, 30};
  return out;
}

TEST(LedgerReport, SaysWhatTheDatabaseDoesNotKnowYet) {
  const UnbookedLedger parsed = parse_unbooked(write_unbooked(report()));
  ASSERT_EQ(parsed.rules.size(), 1u);
  const auto& [name, rule] = *parsed.rules.begin();
  EXPECT_EQ(name, "it's \"r\"\n");
  EXPECT_EQ(rule.pending, 2 * 2);
  EXPECT_EQ(rule.counts,
            (storage::LedgerCounts{
                .received = 10, .filtered = 2, .nothing_to_store = 2, .shed_storage_full = 2}));
  EXPECT_EQ(rule.counts.received, rule.counts.accounted() + rule.pending);
  EXPECT_EQ(parsed.batches.at({"h", 0}), 17u);
  EXPECT_EQ(parsed.batches.at({"h", 1}), 0u);
  EXPECT_EQ(parsed.spooled_messages, 7u);
  EXPECT_EQ(parsed.spooled_bytes, 100u);
}

TEST(LedgerReport, AnAnswerThatIsNoneIsAnError) {
  EXPECT_THROW(static_cast<void>(parse_unbooked("")), std::runtime_error);
  EXPECT_THROW(static_cast<void>(parse_unbooked("{}")), std::runtime_error);
}

}  // namespace
}  // namespace hub
