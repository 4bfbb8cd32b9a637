#include "pipeline/message_accounts.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cctype>

#include "rules/rule_file.h"
#include "tests/pipeline/recording_writer.h"

namespace hub {
namespace {

using storage::LedgerCounts;
using storage::LedgerRows;
using test::RecordingWriter;

class OneTable final : public rules::Catalogue {
 public:
  [[nodiscard]] std::optional<TableSchema> table(std::string_view name) const override {
    TableSchema out{"public", std::string(name), {}, {}};
    Column& column = out.columns.emplace_back();
    column.name = "n";
    column.type = ColumnType::int8;
    column.type_name = "bigint";
    return out;
  }
};

// "a" and "b", whose messages are numbered; and "c".
std::shared_ptr<const rules::RuleSet> make_rules() {
  std::string text;
  for (const char* name : {"a", "b", "c"}) {
    text += fmt::format(
        "[[rule]]\nname = \"{}\"\n{}sql = 'SELECT payload.n AS n FROM \"#\"'\n"
        "[[rule.action]]\ntype = \"dump\"\ntable = \"t\"\n",
        name, name[0] == 'c' ? "" : "sequence = \"n\"\n");
  }
  return rules::compile_rules(rules::parse_rules(text, "rules.toml").rules, OneTable{}).rules;
}

class MessageAccountsTest : public ::testing::Test {
 protected:
  void message(std::string_view device, std::size_t rule, Ending ending) {
    accounts.begin_message(device);
    accounts.received(rules->plan(rule));
    accounts.ended(rules->plan(rule), ending);
  }
  [[nodiscard]] MessageAccounts::RuleAccount account(std::size_t rule) const {
    return accounts.accounts()[rule];
  }

  std::shared_ptr<const rules::RuleSet> rules = make_rules();
  MessageAccounts accounts{*rules};
};

TEST_F(MessageAccountsTest, EachBatchGetsWhatCameSinceTheOneBefore) {
  message("d1", 0, Ending::stored);
  message("d1", 0, Ending::filtered);
  message("d2", 1, Ending::shed_storage_full);
  RecordingWriter first;
  accounts.book(first);
  EXPECT_EQ(first.rules["a"], (LedgerCounts{.received = 2, .committed = 1, .filtered = 1}));
  EXPECT_EQ(first.rules["b"], (LedgerCounts{.received = 1, .shed_storage_full = 1}));
  EXPECT_TRUE(first.devices.empty());
  EXPECT_EQ(first.added, R"({"a":[["d1",2,1,1]],"b":[["d2",1,0,0,0,0,1]]})");
  message("d1", 1, Ending::nothing_to_store);
  RecordingWriter second;
  accounts.book(second);
  EXPECT_EQ(second.rules.size(), 1u);
  EXPECT_EQ(second.rules["b"], (LedgerCounts{.received = 1, .nothing_to_store = 1}));
  EXPECT_EQ(second.added, R"({"b":[["d1",1,0,0,0,1]]})");
}

TEST_F(MessageAccountsTest, DevicesAreBookedWhenTheirTimeHasCome) {
  message("d1", 0, Ending::stored);
  message("d1", 0, Ending::stored);
  message("d1", 1, Ending::filtered);
  accounts.begin_message("d2");
  accounts.received(rules->plan(0));
  accounts.seen(rules->plan(0), 7);
  accounts.ended(rules->plan(0), Ending::dead_lettered);
  EXPECT_TRUE(accounts.dirty());
  accounts.begin_booking();
  RecordingWriter batch;
  accounts.book(batch);
  EXPECT_TRUE(accounts.booked_up());
  EXPECT_FALSE(accounts.dirty());
  EXPECT_EQ(batch.devices["d1/a"], (LedgerCounts{.received = 2, .committed = 2}));
  EXPECT_EQ(batch.devices["d1/b"], (LedgerCounts{.received = 1, .filtered = 1}));
  EXPECT_EQ(batch.devices["d2/a"], (LedgerCounts{.received = 1, .dead_lettered = 1}));
  EXPECT_EQ(batch.seen["d2/a"], "{[7,8)}");
  EXPECT_EQ(batch.added + batch.booked, "");  // it is in no need of a journal
  EXPECT_EQ(batch.mark.added_through, 1);
}

TEST_F(MessageAccountsTest, TheJournalHasTheSequenceNumbers) {
  accounts.begin_message("d\"1");
  accounts.received(rules->plan(0));
  accounts.seen(rules->plan(0), 7);
  accounts.ended(rules->plan(0), Ending::stored);
  RecordingWriter batch;
  accounts.book(batch);
  EXPECT_EQ(batch.added, R"({"a":[["d\"1",1,1,0,0,0,0,"{[7,8)}"]]})");
}

TEST_F(MessageAccountsTest, WithoutASequenceThereIsNoJournal) {
  const std::size_t devices = 2 * MessageAccounts::kDevicesPerBatch;
  for (std::size_t i = 0; i < devices; ++i) message(fmt::format("d{}", i), 2, Ending::stored);
  RecordingWriter batch;
  accounts.book(batch);
  accounts.begin_booking();
  accounts.book(batch);
  EXPECT_EQ(batch.devices.size(), MessageAccounts::kDevicesPerBatch);
  EXPECT_EQ(batch.added + batch.booked, "");
}

TEST_F(MessageAccountsTest, TheJournalIsForgottenOnceItIsBookedAndALittleAtATime) {
  const auto batches = [&](std::int64_t count) {
    RecordingWriter last;
    for (; count > 0; --count) {
      message("d1", 0, Ending::stored);
      last = {};
      accounts.book(last);
    }
    return last;
  };
  constexpr std::int64_t kEvery = MessageAccounts::kForgetEvery;
  EXPECT_TRUE(batches(kEvery).forgotten.empty());  // nothing is booked
  batches(4 * kEvery - 1);
  accounts.begin_booking();
  const RecordingWriter booked = batches(1);
  EXPECT_EQ(booked.mark.added_through, 5 * kEvery);
  EXPECT_EQ(booked.forgotten.after, 0);
  EXPECT_EQ(booked.forgotten.through, 2 * kEvery);
  EXPECT_TRUE(batches(1).forgotten.empty());
  const RecordingWriter later = batches(kEvery - 1);
  EXPECT_EQ(later.forgotten.after, 2 * kEvery);
  EXPECT_EQ(later.forgotten.through, 4 * kEvery);
  batches(kEvery);
  EXPECT_EQ(batches(kEvery).forgotten.through, 0);  // what comes after the booking stays
}

TEST_F(MessageAccountsTest, ManyDevicesAreSpreadOverBatches) {
  const std::size_t devices = 2 * MessageAccounts::kDevicesPerBatch + 1;
  for (std::size_t i = 0; i < devices; ++i) message(fmt::format("d{}", i), 0, Ending::stored);
  accounts.begin_booking();
  std::size_t booked = 0;
  for (int batches = 1; batches <= 3; ++batches) {
    EXPECT_FALSE(accounts.booked_up());
    RecordingWriter batch;
    accounts.book(batch);
    booked += batch.devices.size();
    EXPECT_EQ(batch.added.empty(), batches > 1);
    // What is booked is taken away from the journal until all of it is.
    EXPECT_EQ(batch.booked.empty(), batches == 3);
    EXPECT_EQ(batch.mark.added_through, batches == 3 ? 1 : 0);
    EXPECT_EQ(batch.mark.booked_through, batches == 3 ? 3 : 0);
  }
  EXPECT_TRUE(accounts.booked_up());
  EXPECT_EQ(booked, devices);
}

TEST_F(MessageAccountsTest, PendingIsWhatStorageHasNotBooked) {
  message("d1", 0, Ending::stored);
  message("d1", 0, Ending::stored);
  message("d1", 0, Ending::filtered);
  EXPECT_EQ(account(0).pending(), 2);
  // One of the two was refused.
  accounts.on_booked("a", {.received = 3, .committed = 1, .filtered = 1, .dead_lettered = 1});
  EXPECT_EQ(account(0).pending(), 0);
  EXPECT_EQ(account(0).unbooked(), LedgerCounts{});
  EXPECT_TRUE(account(0).booked.balanced());
}

TEST_F(MessageAccountsTest, ARefusedMessageMovesInItsDevice) {
  message("d1", 0, Ending::stored);
  storage::RowTarget target;
  target.rule = "a";
  MessageView refused;
  refused.client_id = "d1";
  accounts.on_refused(target, refused);
  accounts.begin_booking();
  RecordingWriter batch;
  accounts.book(batch);
  EXPECT_EQ(batch.devices["d1/a"], (LedgerCounts{.received = 1, .dead_lettered = 1}));
}

TEST_F(MessageAccountsTest, RowsWithAKeyAreBookedWithTheNextBatch) {
  storage::RowTarget target;
  target.rule = "b";
  accounts.on_rows(target, {.committed = 5});
  EXPECT_FALSE(accounts.dirty());  // booked by the writer, with the batch
  target.key = {"device"};
  accounts.on_rows(target, {.committed = 2, .duplicates = 3});
  EXPECT_TRUE(accounts.dirty());
  RecordingWriter batch;
  accounts.book(batch);
  EXPECT_EQ(batch.rows["b"], (LedgerRows{.rows = 2, .duplicates = 3}));
  EXPECT_FALSE(accounts.dirty());
  EXPECT_EQ(account(1).rows, (LedgerRows{.rows = 7, .duplicates = 3}));
}

// Rules that dump into a table, the ones in capitals with a sequence.
std::shared_ptr<const rules::RuleSet> rules_named(std::string_view names) {
  std::string text;
  for (const char name : names) {
    text += fmt::format(
        "[[rule]]\nname = \"{}\"\n{}sql = 'SELECT payload.n AS n FROM \"#\"'\n"
        "[[rule.action]]\ntype = \"dump\"\ntable = \"t\"\n",
        static_cast<char>(std::tolower(name)), std::isupper(name) != 0 ? "sequence = \"n\"\n" : "");
  }
  return rules::compile_rules(rules::parse_rules(text, "rules.toml").rules, OneTable{}).rules;
}

class MessageAccountsExchange : public ::testing::Test {
 protected:
  // Rules named by a letter each; see rules_named().
  void use(std::string_view names) {
    rules = rules_named(names);
    accounts.use(*rules);
  }
  void message(std::string_view device, std::size_t rule, Ending ending = Ending::stored) {
    accounts.begin_message(device);
    accounts.received(rules->plan(rule));
    accounts.ended(rules->plan(rule), ending);
  }
  // A batch that commits; with all that waits when the devices' time has come.
  RecordingWriter batch(bool devices_too = false) {
    if (devices_too) accounts.begin_booking();
    RecordingWriter out;
    accounts.book(out);
    for (const auto& [rule, counts] : out.rules) accounts.on_booked(rule, counts);
    return out;
  }
  [[nodiscard]] std::int64_t pending(std::string_view rule) const {
    for (const auto& each : accounts.accounts()) {
      if (each.rule == rule) return each.pending();
    }
    return 0;
  }
  // "a 2, b 1": what each received
  [[nodiscard]] std::string received() const {
    std::string out;
    for (const auto& each : accounts.accounts()) {
      out += fmt::format("{}{} {}", out.empty() ? "" : ", ", each.rule, each.taken.received);
    }
    return out;
  }

  std::shared_ptr<const rules::RuleSet> rules = rules_named("ab");
  MessageAccounts accounts{*rules};
};

TEST_F(MessageAccountsExchange, ARuleGoesOnUnderItsNameWhereverItStands) {
  message("d1", 0);
  message("d1", 1);
  use("cb");
  message("d1", 0);
  message("d1", 1);
  EXPECT_EQ(received(), "c 1, b 2, a 1");
  const RecordingWriter booked = batch(true);
  EXPECT_EQ(booked.rules.at("a"), (LedgerCounts{.received = 1, .committed = 1}));
  EXPECT_EQ(booked.rules.at("b"), (LedgerCounts{.received = 2, .committed = 2}));
  EXPECT_EQ(booked.rules.at("c"), (LedgerCounts{.received = 1, .committed = 1}));
  EXPECT_EQ(booked.devices.at("d1/a"), (LedgerCounts{.received = 1, .committed = 1}));
  EXPECT_EQ(booked.devices.at("d1/b"), (LedgerCounts{.received = 2, .committed = 2}));
  EXPECT_EQ(booked.devices.at("d1/c"), (LedgerCounts{.received = 1, .committed = 1}));
}

TEST_F(MessageAccountsExchange, WhatTheOldRulesHaveUnderWayIsPendingAndThenBooked) {
  message("d1", 0);
  use("c");
  EXPECT_EQ(pending("a"), 1);
  use("d");
  EXPECT_EQ(pending("a"), 1) << "nor does yet another exchange book it";
  EXPECT_EQ(batch(true).rules.size(), 1u);
  storage::RowTarget target;
  target.rule = "a";
  target.key = {"n"};
  accounts.on_rows(target, {.committed = 1});
  MessageView refused;
  refused.client_id = "d1";
  accounts.on_refused(target, refused);
  EXPECT_TRUE(accounts.dirty());
  const RecordingWriter next = batch(true);
  EXPECT_EQ(next.rows.at("a"), (LedgerRows{.rows = 1}));
  EXPECT_EQ(next.devices.at("d1/a"), (LedgerCounts{.committed = -1, .dead_lettered = 1}));
}

TEST_F(MessageAccountsExchange, AnAccountIsDroppedOnceAllOfItIsBooked) {
  message("d1", 0);
  use("c");
  batch();  // its devices wait
  use("d");
  EXPECT_EQ(received(), "d 0, a 1, c 0");
  batch(true);
  EXPECT_EQ(received(), "d 0, a 1, c 0") << "until the next exchange";
  use("e");
  EXPECT_EQ(received(), "e 0, d 0");
  use("a");
  EXPECT_EQ(received(), "a 0, e 0");
}

TEST_F(MessageAccountsExchange, TheAccountsOfAHundredExchangesTakeNoMoreRoomThanThoseOfTwo) {
  for (int i = 0; i < 100; ++i) {
    use(i % 2 == 0 ? "wxyz" : "stuv");
    for (std::size_t rule = 0; rule < 4; ++rule) message("d1", rule);
    const RecordingWriter booked = batch(true);
    EXPECT_EQ(booked.rules.size(), 4u);
    EXPECT_EQ(booked.devices.size(), 4u);
    EXPECT_LE(accounts.accounts().size(), 8u);
  }
}

TEST_F(MessageAccountsExchange, ARuleThatGetsASequenceIsJournalledWithWhatWaits) {
  message("d1", 0);
  EXPECT_EQ(batch().added, "");  // waits to be booked, and is in no journal
  use("A");
  EXPECT_EQ(batch().added, R"({"a":[["d1",1,1]]})");
  message("d1", 0);
  const RecordingWriter booked = batch(true);
  EXPECT_EQ(booked.devices.at("d1/a"), (LedgerCounts{.received = 2, .committed = 2}));
  EXPECT_EQ(booked.mark.added_through, 3);
}

TEST_F(MessageAccountsExchange, SoItIsWhenOnlyOtherRulesWereJournalled) {
  use("Ab");
  message("d1", 1);
  EXPECT_EQ(batch().added, "");
  use("AB");
  EXPECT_EQ(batch().added, R"({"b":[["d1",1,1]]})");
  const RecordingWriter booked = batch(true);
  EXPECT_EQ(booked.devices.at("d1/b"), (LedgerCounts{.received = 1, .committed = 1}));
}

TEST_F(MessageAccountsExchange, SoItIsInTheMiddleOfARound) {
  const std::size_t devices = MessageAccounts::kDevicesPerBatch + 10;
  for (std::size_t i = 0; i < devices; ++i) message(fmt::format("d{}", i), 0);
  LedgerCounts sum;
  const auto add = [&](const RecordingWriter& booked) {
    for (const auto& [device, counts] : booked.devices) sum += counts;
  };
  add(batch(true));
  use("A");
  const RecordingWriter rest = batch();
  add(rest);
  EXPECT_NE(rest.added, "");
  EXPECT_EQ(rest.booked, "") << "nothing is taken away that was not there";
  add(batch(true));
  EXPECT_EQ(sum.received, static_cast<std::int64_t>(devices));
  EXPECT_TRUE(accounts.booked_up());
}

TEST_F(MessageAccountsExchange, WhatIsInTheJournalIsTakenAwayFromItAlsoWithoutASequence) {
  use("A");
  const std::size_t devices = MessageAccounts::kDevicesPerBatch + 10;
  for (std::size_t i = 0; i < devices; ++i) message(fmt::format("d{}", i), 0);
  EXPECT_NE(batch().added, "");
  use("a");
  const RecordingWriter first = batch(true);
  EXPECT_EQ(first.devices.size(), MessageAccounts::kDevicesPerBatch);
  EXPECT_NE(first.booked, "");
}

}  // namespace
}  // namespace hub
