#include "storage/spool_record.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "storage/row_encoder.h"
#include "tests/storage/writer_harness.h"

namespace hub::storage {
namespace {

class SpoolRecord : public testing::Test {
 protected:
  TargetPlan& plan_of(const RowTargetPtr& target) {
    auto& plan = plans[target.get()];
    if (!plan) plan = std::make_unique<TargetPlan>(target);
    return *plan;
  }
  SpoolRecordProblem add(std::string_view record, Batch& batch) {
    return add_spool_record(
        record, targets, [this](const RowTargetPtr& t) -> TargetPlan& { return plan_of(t); },
        batch);
  }
  void add_row(Batch& batch, const RowTargetPtr& target, std::int64_t n) {
    TargetRows& rows = batch.rows_of(plan_of(target));
    const std::size_t before = rows.rows.size();
    const Value values[] = {Value::integer(n), Value::text("text")};
    ASSERT_FALSE(rows.plan->encoder().append(values, rows.rows));
    rows.messages.push_back(batch.messages.keep(WriterHarness::message(n)));
    batch.rows_added(1, rows.rows.size() - before);
  }
  // A batch that has something of everything.
  std::unique_ptr<Batch> make_batch(std::int64_t n) {
    auto batch = std::make_unique<Batch>();
    batch->clear(++serial);
    add_row(*batch, plain, n);
    add_row(*batch, keyed, n);
    add_row(*batch, plain, n + 1);
    batch->dead_letters.add({"r", "dump a", "value_unfit", "too long", {}},
                            WriterHarness::message(n + 2), 0);
    batch->failed_by_rule.emplace_back("r", WriterHarness::message(n + 2).id);
    batch->session_changes.add(bare_session("c" + std::to_string(n)));
    batch->session_changes.add(SessionGone{"gone"});
    batch->ledger.rules.push_back({"r", {.received = n, .committed = 2}, {1, 2}, {}, {}});
    batch->ledger.devices.push_back({"r", "d1", {.received = n}});
    batch->ledger.sequences.push_back({"r", "d1", "{[1,3)}", 4});
    batch->ledger.journal = {{n, false, "{}"}, {n, true, "{}"}};
    batch->ledger.journal_mark = {n, n + 1};
    batch->ledger.journal_forgotten = {n - 10, n};
    batch->ledger.meter = "m";
    batch->ledger.shard = 3;
    batch->ledger.usage = {{1, n}, {n, 2}};
    batch->ledger.active_devices = {{20'000, "d1"}};
    return batch;
  }

  const RowTargetPtr plain =
      make_target("a", {make_column("n", ColumnType::int8, "bigint"),
                        make_column("t", ColumnType::text, "character varying(9)")});
  const RowTargetPtr keyed = make_target(
      "k",
      {make_column("n", ColumnType::int8, "bigint"), make_column("t", ColumnType::text, "text")},
      {"n"}, OnConflict::update);
  SpoolTargets targets;
  std::map<const RowTarget*, std::unique_ptr<TargetPlan>> plans;
  std::uint64_t serial = 0;
};

TEST_F(SpoolRecord, ComesBackAsItWas) {
  const auto batch = make_batch(7);
  const std::string record = write_spool_record(*batch, targets);
  Batch back;
  back.clear(++serial);
  ASSERT_EQ(add(record, back), SpoolRecordProblem::none);
  EXPECT_EQ(back.rows(), 3u);
  EXPECT_EQ(back.row_bytes(), batch->row_bytes());
  ASSERT_EQ(back.targets().size(), 2u);
  EXPECT_EQ(back.targets()[0].plan->target_ptr(), plain);
  EXPECT_EQ(back.targets()[0].rows.view(), batch->targets()[0].rows.view());
  EXPECT_EQ(back.targets()[1].messages, batch->targets()[1].messages);
  EXPECT_EQ(back.messages.all(), batch->messages.all());
  EXPECT_EQ(back.messages.view(1).id, WriterHarness::message(8).id);
  EXPECT_EQ(back.dead_letters.rows().view(), batch->dead_letters.rows().view());
  EXPECT_EQ(back.failed_by_rule, batch->failed_by_rule);
  EXPECT_EQ(write_spool_record(back, targets), record);
  EXPECT_EQ(spooled_messages(back), 3u);
}

TEST_F(SpoolRecord, NamesItsTargetsForAHubThatKnowsNoneOfThem) {
  const std::string record = write_spool_record(*make_batch(7), targets);
  targets = {};
  Batch back;
  back.clear(++serial);
  ASSERT_EQ(add(record, back), SpoolRecordProblem::none);
  const RowTarget& a = back.targets()[0].plan->target();
  EXPECT_NE(&a, plain.get());
  EXPECT_EQ(a.rule, "r");
  EXPECT_EQ(a.action, "dump a");
  EXPECT_EQ(a.columns.at(1).type_name, "character varying(9)");
  const RowTarget& k = back.targets()[1].plan->target();
  EXPECT_EQ(k.key, std::vector<std::string>{"n"});
  EXPECT_EQ(k.on_conflict, OnConflict::update);
  EXPECT_EQ(write_spool_record(back, targets), record);
}

TEST_F(SpoolRecord, GapsOfSeveralMayBeMoreThanTheirCount) {
  Batch batch;
  batch.clear(++serial);
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  batch.ledger.sequences = {{"r", "d", "{[1,2)}", kMost - 3}};
  const std::string record = write_spool_record(batch, targets);
  Batch both;
  both.clear(++serial);
  for (int i = 0; i < 2; ++i) ASSERT_EQ(add(record, both), SpoolRecordProblem::none);
  EXPECT_EQ(both.ledger.sequences.at(0).given_up, kMost);
}

TEST_F(SpoolRecord, SeveralMakeOneBatch) {
  const std::string records[] = {write_spool_record(*make_batch(10), targets),
                                 write_spool_record(*make_batch(20), targets)};
  Batch both;
  both.clear(++serial);
  for (const auto& record : records) ASSERT_EQ(add(record, both), SpoolRecordProblem::none);
  EXPECT_EQ(both.rows(), 6u);
  ASSERT_EQ(both.targets().size(), 2u);
  EXPECT_EQ(both.messages.view(both.targets()[0].messages[2]).id, WriterHarness::message(20).id);
  EXPECT_EQ(both.dead_letters.count(), 2u);
  ASSERT_EQ(both.ledger.rules.size(), 1u);
  EXPECT_EQ(both.ledger.rules[0].counts.received, 30);
  EXPECT_EQ(both.ledger.rules[0].rows, (LedgerRows{2, 4}));
  ASSERT_EQ(both.ledger.devices.size(), 1u);
  EXPECT_EQ(both.ledger.devices[0].counts.received, 30);
  ASSERT_EQ(both.ledger.sequences.size(), 1u);
  EXPECT_EQ(both.ledger.sequences[0].seen, "{[1,3),[1,3)}");
  EXPECT_EQ(both.ledger.sequences[0].given_up, 8);
  ASSERT_EQ(both.ledger.journal.size(), 4u);
  EXPECT_EQ(both.ledger.journal[2].number, 20);
  EXPECT_TRUE(both.ledger.journal[3].booked);
  EXPECT_EQ(both.ledger.journal_mark.booked_through, 21);
  EXPECT_EQ(both.ledger.journal_forgotten.after, 0);
  EXPECT_EQ(both.ledger.journal_forgotten.through, 20);
  EXPECT_EQ(both.ledger.meter, "m");
  EXPECT_EQ(both.ledger.shard, 3);
  ASSERT_EQ(both.ledger.usage.size(), 3u);
  EXPECT_EQ(both.ledger.usage[0].messages, 30);
  EXPECT_EQ(both.ledger.active_devices.size(), 2u);
  ASSERT_EQ(both.session_changes.count(), 4u);
  both.session_changes.keep_last_of_each_client();
  ASSERT_EQ(both.session_changes.count(), 3u);
  EXPECT_EQ(both.session_changes[1].client_id, "c20");
  EXPECT_EQ(both.session_changes[2].client_id, "gone");
  EXPECT_EQ(both.session_changes[2].row, "");
}

TEST_F(SpoolRecord, NoPartOfOneIsTakenAndTheBatchStaysAsItWas) {
  const std::string record = write_spool_record(*make_batch(7), targets);
  Batch batch;
  batch.clear(++serial);
  for (std::size_t bytes = 0; bytes < record.size(); ++bytes) {
    EXPECT_EQ(add(record.substr(0, bytes), batch), SpoolRecordProblem::malformed) << bytes;
  }
  EXPECT_EQ(add(record + "x", batch), SpoolRecordProblem::malformed);
  EXPECT_TRUE(batch.nothing_to_write());
  EXPECT_EQ(batch.messages.count(), 0u);
}

TEST_F(SpoolRecord, RowsMustHaveTheFieldsOfTheirTarget) {
  const auto batch = make_batch(7);
  const auto three = make_target("a", {plain->columns[0], plain->columns[1], plain->columns[1]});
  TargetRows& rows = batch->rows_of(plan_of(three));
  rows.rows.append(batch->targets()[0].rows.view());
  rows.messages = batch->targets()[0].messages;
  Batch back;
  back.clear(++serial);
  EXPECT_EQ(add(write_spool_record(*batch, targets), back), SpoolRecordProblem::malformed);
}

TEST_F(SpoolRecord, MessagesMustHaveAQosThatThereIs) {
  const auto batch = make_batch(7);
  std::string messages(batch->messages.all());
  KeptMessages kept;
  EXPECT_TRUE(kept.add_all(messages));
  const std::size_t count = kept.count();
  messages[40] = 3;
  EXPECT_FALSE(kept.add_all(messages));
  messages[40] = 2;
  messages[41] = 2;  // retain
  EXPECT_FALSE(kept.add_all(messages));
  EXPECT_EQ(kept.count(), count);
}

TEST_F(SpoolRecord, AnyByteMayBeWrong) {
  const std::string record = write_spool_record(*make_batch(7), targets);
  for (std::size_t at = 1; at < record.size(); ++at) {
    for (const int bit : {0, 3, 7}) {
      std::string wrong = record;
      wrong[at] = static_cast<char>(wrong[at] ^ (1 << bit));
      Batch batch;
      batch.clear(++serial);
      if (add(wrong, batch) != SpoolRecordProblem::none) {
        EXPECT_TRUE(batch.nothing_to_write());
      }
    }
  }
}

TEST_F(SpoolRecord, OfAnotherVersionIsNotRead) {
  std::string record = write_spool_record(*make_batch(7), targets);
  ++record[0];
  Batch batch;
  batch.clear(++serial);
  EXPECT_EQ(check_spool_record(record), SpoolRecordProblem::other_version);
  EXPECT_EQ(add(record, batch), SpoolRecordProblem::other_version);
}

}  // namespace
}  // namespace hub::storage
