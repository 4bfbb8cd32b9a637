#include "storage/pg_batch_writer.h"

#include <gtest/gtest.h>

#include "tests/storage/writer_harness.h"

namespace hub::storage {
namespace {

const std::vector<Column> kColumns = {make_column("n", ColumnType::int8, "bigint"),
                                      make_column("t", ColumnType::text, "text")};

TEST(PgBatchWriter, CommitsALoneRowAndThenAcknowledgesIt) {
  WriterHarness h;
  h.database().query("CREATE TABLE a (n bigint, t text)");
  const auto target = make_target("a", kColumns);
  h.append(target, 7, "seven");
  EXPECT_FALSE(h.writer().idle());
  h.run_until_idle();
  EXPECT_EQ(h.database().query("SELECT * FROM a"), "7|seven");
  EXPECT_EQ(h.acknowledged, std::vector<std::uint64_t>{7});
  EXPECT_EQ(h.writer().held_bytes(), 0u);
  EXPECT_EQ(h.writer().counters().batches.value(), 1u);
  EXPECT_EQ(h.writer().counters().statements_sent.value(), 2u);  // the claim, the batch
}

TEST(PgBatchWriter, WritesSeveralTablesInOneExchange) {
  WriterHarness h;
  h.database().query("CREATE TABLE a (n bigint, t text); CREATE TABLE b (n bigint, t text)");
  const auto a = make_target("a", kColumns);
  const auto b = make_target("b", kColumns);
  for (int i = 0; i < 100; ++i) h.append(i % 2 == 0 ? a : b, i);
  h.run_until_idle();
  EXPECT_EQ(h.database().query("SELECT count(*), sum(n) FROM a"), "50|2450");
  EXPECT_EQ(h.database().query("SELECT count(*), sum(n) FROM b"), "50|2500");
  EXPECT_EQ(h.acknowledged, numbers(100));
  EXPECT_EQ(h.writer().counters().statements_sent.value(), 2u);
  EXPECT_EQ(h.database().count("SELECT count(DISTINCT xmin::text) FROM (SELECT xmin FROM a UNION "
                               "ALL SELECT xmin FROM b) AS x"),
            1);
}

TEST(PgBatchWriter, GoesOnWhenTheServerHasForgottenWhatWasPrepared) {
  WriterHarness h;
  h.database().query(
      "CREATE TABLE a (n bigint, t text);"
      "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS "
      "$$BEGIN DEALLOCATE ALL; RETURN NULL; END$$;"
      "CREATE TRIGGER forget AFTER INSERT ON a EXECUTE FUNCTION forget()");
  const auto target = make_target("a", kColumns);
  for (int n = 0; n < 5; ++n) {
    h.append(target, n);
    h.run_until_idle();
  }
  EXPECT_EQ(h.acknowledged, numbers(5));
  EXPECT_EQ(h.database().query("SELECT count(*), count(DISTINCT n) FROM a"), "5|5");
  EXPECT_EQ(h.database().count("SELECT count(*) FROM iothub.dead_letter"), 0);
  EXPECT_TRUE(h.notices.empty());
}

TEST(PgBatchWriter, RefusesAValueThatDoesNotFitAndKeepsTheRest) {
  WriterHarness h;
  h.database().query("CREATE TABLE a (n bigint, t text)");
  const auto target = make_target("a", kColumns);
  h.append(target, 1);
  const Value bad[] = {Value::text("no number"), Value::text("x")};
  EXPECT_EQ(h.writer().append(target, bad, MessageView{}),
            "column \"n\" (bigint) cannot take 'no number': not a value of that type");
  h.append(target, 2);
  h.run_until_idle();
  EXPECT_EQ(h.database().query("SELECT n FROM a ORDER BY n"), "1\n2");
}

TEST(PgBatchWriter, AcknowledgesAtOnceWhenNothingIsOpen) {
  WriterHarness h;
  h.writer().acknowledge_after_commit({5, 0});
  EXPECT_TRUE(h.acknowledged.empty()) << "called from inside the call";
  EXPECT_FALSE(h.writer().idle());
  h.run_until_idle();
  EXPECT_EQ(h.acknowledged, std::vector<std::uint64_t>{5});
  EXPECT_EQ(h.writer().counters().batches.value(), 0u);
}

TEST(PgBatchWriter, KeepsTheOrderOfTokensAcrossBatches) {
  WriterHarness h;
  h.database().query("CREATE TABLE a (n bigint, t text)");
  const auto target = make_target("a", kColumns);
  for (int i = 0; i < 300; i += 2) {
    h.append(target, i);
    h.writer().end_of_turn();
    h.run_handlers(i % 5);
    h.writer().acknowledge_after_commit({static_cast<std::uint64_t>(i + 1), 0});
  }
  h.run_until_idle();
  EXPECT_EQ(h.acknowledged, numbers(300));
}

TEST(PgBatchWriter, KeepsALaterTurnOutOfAFullBatch) {
  PgWriterOptions options;
  options.limits.rows = 10;
  WriterHarness h(options);
  h.database().query("CREATE TABLE a (n bigint, t text)");
  const auto target = make_target("a", kColumns);
  for (int i = 0; i < 100; ++i) {
    h.append(target, i);
    h.writer().end_of_turn();  // the loop does not run: nothing can commit meanwhile
  }
  h.run_until_idle();
  EXPECT_EQ(h.acknowledged, numbers(100));
  EXPECT_EQ(h.writer().counters().batches.value(), 10u);
  EXPECT_EQ(h.database().query("SELECT count(*), count(DISTINCT xmin::text) FROM a"), "100|10");
}

TEST(PgBatchWriter, WritesOneTurnInOneBatchHoweverLarge) {
  PgWriterOptions options;
  options.limits.rows = 1000;
  options.limits.bytes = 10'000;
  WriterHarness h(options);
  h.database().query("CREATE TABLE a (n bigint, t text)");
  const auto target = make_target("a", kColumns);
  const std::string text(1000, 'y');
  for (int i = 0; i < 20'000; ++i) h.append(target, i, text);
  h.run_until_idle();
  EXPECT_EQ(h.acknowledged, numbers(20'000));
  EXPECT_EQ(h.database().query("SELECT count(*), sum(length(t)) FROM a"), "20000|20000000");
  EXPECT_EQ(h.writer().counters().batches.value(), 1u);
}

TEST(PgBatchWriter, IsCongestedFromNinetyToSeventyPercent) {
  PgWriterOptions options;
  options.limits.held_bytes = 100'000;
  WriterHarness h(options);
  h.database().query("CREATE TABLE a (n bigint, t text)");
  const auto target = make_target("a", kColumns);
  std::int64_t n = 0;
  const std::string text(500, 'y');
  while (h.writer().held_bytes() < 89'000) h.append(target, n++, text);
  EXPECT_FALSE(h.writer().congested());
  while (h.writer().held_bytes() <= 90'000) h.append(target, n++, text);
  EXPECT_TRUE(h.writer().congested());
  h.run_until([&] { return h.writer().end_of_turn(), !h.writer().congested(); });
  EXPECT_LT(h.writer().held_bytes(), 70'000u);
  h.run_until_idle();
  EXPECT_EQ(h.acknowledged, numbers(static_cast<std::uint64_t>(n)));
}

// Whoever stopped reading for want of room looks again when it is told of a commit, and perhaps
// never after the last one.
TEST(PgBatchWriter, HasRoomAgainWhenItTellsOfACommitEvenOneWithoutTokens) {
  WriterHarness h;
  h.database().query("CREATE TABLE a (n bigint, t text)");
  std::vector<std::size_t> held;
  h.when_committed = [&] { held.push_back(h.writer().held_bytes()); };
  h.append(make_target("a", kColumns), 1);
  h.run_until_idle();
  h.writer().append_dead_letter("r", "a", "b", "c", {});
  h.run_until_idle();
  EXPECT_EQ(held, (std::vector<std::size_t>{0, 0}));
}

TEST(PgBatchWriter, CommitsDeadLettersWithTheBatch) {
  WriterHarness h;
  MessageView message;
  message.id = {0x0011223344556677, 0x8899aabbccddeeff};
  message.received_at = Timestamp(std::chrono::microseconds(1'700'000'000'000'001));
  message.topic = "a/b";
  message.client_id = "c1";
  message.username = "u";
  message.payload = std::string_view("\0\xff", 2);
  message.qos = Qos::exactly_once;
  message.retain = true;
  h.writer().append_dead_letter("rule one", "dump a", "value_unfit", "a \xff detail", message);
  h.writer().acknowledge_after_commit({1, 0});
  h.run_until_idle();
  EXPECT_EQ(h.database().query("SELECT message_id, extract(epoch FROM received_at), rule, action, "
                               "reason, detail, sqlstate, topic, client_id, username, qos, retain, "
                               "payload, attempts FROM iothub.dead_letter"),
            "00112233-4455-6677-8899-aabbccddeeff|1700000000.000001|rule one|dump a|value_unfit|"
            "a ? detail|NULL|a/b|c1|u|2|t|\\x00ff|0");
  EXPECT_EQ(h.acknowledged, std::vector<std::uint64_t>{1});
  EXPECT_EQ(h.writer().counters().dead_letters_by_rule.value(), 1u);
}

TEST(PgBatchWriter, SavesSessionStatesWithTheRowsOfTheirBatch) {
  WriterHarness h;
  h.database().query("CREATE TABLE a (n bigint, t text)");
  const auto target = make_target("a", kColumns);
  h.when_closing = [&] {
    h.writer().make_durable(bare_session("c2", 1));
    h.writer().make_durable(bare_session("c1", 2));
    h.writer().make_durable(bare_session("c2", 3));
  };
  h.append(target, 1);
  h.writer().durable_change_waits();
  h.run_until_idle();
  EXPECT_EQ(h.database().query("SELECT client_id, state FROM iothub.session_state ORDER BY 1"),
            "c1|" + bare_session_row(2) + "\nc2|" + bare_session_row(3));
  EXPECT_EQ(h.database().count("SELECT count(DISTINCT xmin::text) FROM (SELECT xmin FROM a UNION "
                               "ALL SELECT xmin FROM iothub.session_state) AS x"),
            1);

  h.when_closing = [&] {
    h.writer().make_durable(SessionGone{"c1"});
    h.writer().make_durable(SessionGone{"gone"});
    h.writer().make_durable(bare_session("c3"));
  };
  h.writer().durable_change_waits();
  h.writer().acknowledge_after_commit({2, 0});
  h.run_until_idle();
  EXPECT_EQ(h.database().query("SELECT client_id FROM iothub.session_state ORDER BY 1"), "c2\nc3");
  EXPECT_EQ(h.acknowledged, (std::vector<std::uint64_t>{1, 2}));
}

TEST(PgBatchWriter, SendsNothingWhenNoSessionWasSavedAfterAll) {
  WriterHarness h;
  h.writer().durable_change_waits();
  h.writer().acknowledge_after_commit({3, 0});
  h.run_until_idle();
  EXPECT_EQ(h.acknowledged, std::vector<std::uint64_t>{3});
  EXPECT_EQ(h.writer().counters().batches.value(), 0u);
}

TEST(PgBatchWriter, OutlivesTheTargetsThatItWasGiven) {
  WriterHarness h;
  h.database().query("CREATE TABLE a (n bigint, t text)");
  for (int i = 0; i < 20; ++i) {  // as if the rules were loaded anew each time
    h.append(make_target("a", kColumns), i);
    h.writer().end_of_turn();
  }
  h.run_until_idle();
  EXPECT_EQ(h.acknowledged, numbers(20));
  EXPECT_EQ(h.outcomes["a"].committed, 20u);
}

TEST(PgBatchWriter, SaysThatTheDatabaseIsNotInitialised) {
  WriterHarness h;
  h.database().query("DROP SCHEMA iothub CASCADE");
  h.restart_writer();
  h.run_until([&] { return !h.notices.empty(); });
  EXPECT_EQ(h.notices[0],
            "unavailable: 3F000 the database is not initialised for the hub, or by an older one "
            "(schema \"iothub\" does not exist); run: iothub db init");
  EXPECT_EQ(h.notices.size(), 1u);
}

TEST(PgBatchWriter, CanBeDroppedAtAnyMoment) {
  WriterHarness h;
  h.database().query("CREATE TABLE a (n bigint, t text)");
  const auto target = make_target("a", kColumns);
  for (int turns = 0; turns < 40; ++turns) {
    h.restart_writer();
    for (int i = 0; i < 100; ++i) h.append(target, i);
    h.writer().end_of_turn();
    h.run_handlers(turns);
  }
  h.drop_writer();
  h.run_handlers(100);
}

TEST(PgBatchWriter, AnErrorThatIsNotTheDatabasesIsNotSwallowed) {
  WriterHarness h;
  h.when_closing = [] { throw std::logic_error("a bug"); };
  h.writer().durable_change_waits();
  EXPECT_THROW(h.run_until_idle(), std::logic_error);
}

TEST(PgBatchWriter, ANewTargetWhileABatchIsToldOfLeavesTheOldOnesInPlace) {
  WriterHarness h;
  h.database().query("CREATE TABLE a (n bigint, t text); CREATE TABLE b (n bigint, t text)");
  h.append(make_target("a", kColumns), 1);
  h.append(make_target("b", kColumns), 2);
  const auto newer = make_target("a", kColumns);
  h.when_rows = [&] {
    h.when_rows = nullptr;
    h.append(newer, 3);
    h.writer().end_of_turn();
  };
  h.run_until_idle();
  EXPECT_EQ(h.outcomes["a"].committed, 2u);
  EXPECT_EQ(h.outcomes["b"].committed, 1u);
}

}  // namespace
}  // namespace hub::storage
