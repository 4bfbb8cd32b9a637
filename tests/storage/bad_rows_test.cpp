// What the database refuses: each error is put down to a row, a table or nobody, and the rows that
// are good commit all the same.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/storage/bad_rows_fixture.h"

namespace hub::storage {
namespace {

TEST_F(BadRows, CheckViolationCostsOnlyItsRow) {
  make("CREATE TABLE a (n bigint CHECK (n <> 57), t text)");
  write(100);
  EXPECT_EQ(h.database().query("SELECT count(*), count(DISTINCT n) FROM a"), "99|99");
  EXPECT_EQ(dead_letters(),
            "1 23514 row_refused new row for relation \"a\" violates check constraint "
            "\"a_n_check\" (Failing row contains (57, x).)");
  EXPECT_EQ(h.acknowledged, numbers(100));
  EXPECT_EQ(h.outcomes["a"].committed, 99u);
  EXPECT_EQ(h.outcomes["a"].dead_letters, 1u);
  EXPECT_TRUE(h.notices.empty());
  EXPECT_EQ(h.writer().counters().dead_letters_row_refused.value(), 1u);
}

TEST_F(BadRows, DeadLetterHasTheOriginalMessage) {
  make("CREATE TABLE a (n bigint CHECK (n <> 57), t text)");
  write(100);
  EXPECT_EQ(h.database().query("SELECT message_id, extract(epoch FROM received_at), rule, action, "
                               "topic, client_id, username, qos, retain, convert_from(payload, "
                               "'UTF8'), attempts FROM iothub.dead_letter"),
            "00000000-0000-0001-0000-000000000039|1700000000.000057|r|dump a|"
            "devices/d1/telemetry|d1|NULL|1|f|{\"n\": 1}|1");
}

TEST_F(BadRows, DeadLetterCommitsInTheTransactionOfItsNeighbours) {
  make("CREATE TABLE a (n bigint CHECK (n % 10 <> 7), t text)");
  write(100);
  EXPECT_EQ(h.writer().counters().batches.value(), 1u);
  EXPECT_EQ(h.database().query("SELECT count(*) FROM iothub.dead_letter"), "10");
}

TEST_F(BadRows, UniqueViolation) {
  make("CREATE TABLE a (n bigint UNIQUE, t text); INSERT INTO a VALUES (3), (99)");
  write(100);
  EXPECT_EQ(h.database().query("SELECT count(*) FROM a"), "100");
  EXPECT_EQ(dead_letters().substr(0, 19), "2 23505 row_refused");
}

TEST_F(BadRows, UniqueViolationWithinTheBatchKeepsTheFirst) {
  make("CREATE TABLE a (n bigint, t text UNIQUE)");
  h.append(target, 1, "same");
  h.append(target, 2, "same");
  h.append(target, 3, "other");
  h.run_until_idle();
  EXPECT_EQ(h.database().query("SELECT n FROM a ORDER BY n"), "1\n3");
}

TEST_F(BadRows, DeferredUniqueViolation) {
  make(
      "CREATE TABLE a (n bigint UNIQUE DEFERRABLE INITIALLY DEFERRED, t text); INSERT INTO a "
      "VALUES (3)");
  write(100);
  EXPECT_EQ(h.database().query("SELECT count(*) FROM a"), "100");
  EXPECT_EQ(dead_letters().substr(0, 19), "1 23505 row_refused");
}

TEST_F(BadRows, NotNullViolation) {
  make("CREATE TABLE a (n bigint, t text, more int NOT NULL DEFAULT 1)");
  write(10);
  make("ALTER TABLE a ALTER more DROP DEFAULT");
  write(10, 10);
  EXPECT_EQ(h.database().query("SELECT count(*) FROM a"), "10");
  EXPECT_EQ(dead_letters().substr(0, 20), "10 23502 row_refused");
}

TEST_F(BadRows, ForeignKeyViolation) {
  make(
      "CREATE TABLE known (n bigint PRIMARY KEY); INSERT INTO known SELECT generate_series(0, 49);"
      "CREATE TABLE a (n bigint REFERENCES known, t text)");
  write(53);
  EXPECT_EQ(h.database().query("SELECT count(*) FROM a"), "50");
  EXPECT_EQ(dead_letters().substr(0, 19), "3 23503 row_refused");
}

TEST_F(BadRows, TriggerThatRaises) {
  make(
      "CREATE TABLE a (n bigint, t text); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
      "$$BEGIN IF NEW.n IN (0, 50, 99) THEN RAISE 'no % here', NEW.n; END IF; RETURN NEW; END$$;"
      "CREATE TRIGGER g BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()");
  write(100);
  EXPECT_EQ(h.database().query("SELECT count(*) FROM a"), "97");
  EXPECT_EQ(dead_letters(), "3 P0001 row_refused no 0 here");
}

TEST_F(BadRows, TriggerThatNeedsATableThatIsGoneForSomeRows) {
  make(
      "CREATE TABLE a (n bigint, t text); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
      "$$BEGIN IF NEW.n = 20 THEN INSERT INTO gone VALUES (1); END IF; RETURN NEW; END$$;"
      "CREATE TRIGGER g AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()");
  write(100);
  EXPECT_EQ(h.database().query("SELECT count(*) FROM a"), "99");
  EXPECT_EQ(dead_letters(), "1 42P01 row_refused relation \"gone\" does not exist");
}

TEST_F(BadRows, RowTooLargeForAnIndex) {
  make("CREATE TABLE a (n bigint, t text); CREATE INDEX ON a (t)");
  std::string large;
  for (int i = 0; i < 4000; ++i) large += fmt::format("{:x}", i * 2654435761u);
  h.append(target, 0);
  h.append(target, 1, large);
  h.append(target, 2);
  h.run_until_idle();
  EXPECT_EQ(h.database().query("SELECT n FROM a ORDER BY n"), "0\n2");
  EXPECT_EQ(dead_letters().substr(0, 19), "1 54000 row_refused");
}

TEST_F(BadRows, OtherTablesOfTheBatchAreWritten) {
  make("CREATE TABLE a (n bigint CHECK (n <> 4), t text); CREATE TABLE b (n bigint, t text)");
  const auto other = make_target("b", kColumns);
  for (int n = 0; n < 10; ++n) h.append(n % 2 == 0 ? target : other, n);
  h.run_until_idle();
  EXPECT_EQ(h.database().query("SELECT count(*) FROM a"), "4");
  EXPECT_EQ(h.database().query("SELECT count(*) FROM b"), "5");
  EXPECT_EQ(h.acknowledged, numbers(10));
}

TEST_F(BadRows, SessionStatesOfTheBatchAreWritten) {
  make("CREATE TABLE a (n bigint CHECK (n <> 4), t text)");
  h.when_closing = [&] { h.writer().make_durable(bare_session("c")); };
  h.writer().durable_change_waits();
  write(10);
  EXPECT_EQ(h.database().count("SELECT count(*) FROM iothub.session_state"), 1);
  EXPECT_EQ(h.database().count("SELECT count(*) FROM a"), 9);
}

TEST_F(BadRows, KeyedRows) {
  make("CREATE TABLE a (n bigint PRIMARY KEY CHECK (n <> 33), t text)");
  target = make_target("a", kColumns, {"n"});
  write(100);
  write(1, 50);
  EXPECT_EQ(h.database().query("SELECT count(*) FROM a"), "99");
  EXPECT_EQ(dead_letters().substr(0, 19), "1 23514 row_refused");
  EXPECT_EQ(h.outcomes["a"].committed, 99u);
  EXPECT_EQ(h.outcomes["a"].duplicates, 1u);
}

// ── How many exchanges it takes ──

TEST_F(BadRows, OneAmongTwentyThousandTakesFewExchangesWhenTheServerNamesTheLine) {
  make("CREATE TABLE a (n bigint CHECK (n <> 12345), t text)");
  write(20'000);
  EXPECT_EQ(h.database().count("SELECT count(*) FROM a"), 19'999);
  // The claim, the refused batch, BEGIN, the whole again, the good part, the bad row, the rest,
  // COMMIT.
  EXPECT_EQ(exchanges(), 8u);
}

TEST_F(BadRows, OneAmongTwentyThousandTakesTwiceTheLogarithmWhenItDoesNot) {
  make(
      "CREATE TABLE known (n bigint PRIMARY KEY); INSERT INTO known SELECT generate_series(0, "
      "19999); DELETE FROM known WHERE n = 12345; CREATE TABLE a (n bigint REFERENCES known, t "
      "text)");
  write(20'000);
  EXPECT_EQ(h.database().count("SELECT count(*) FROM a"), 19'999);
  EXPECT_LE(exchanges(), 4u + 2 * 15 + 4);
}

TEST_F(BadRows, AllBadTakesOneExchangeForEach) {
  make("CREATE TABLE a (n bigint CHECK (n < 0), t text)");
  write(500);
  EXPECT_EQ(h.database().count("SELECT count(*) FROM a"), 0);
  EXPECT_EQ(h.database().count("SELECT count(*) FROM iothub.dead_letter"), 500);
  EXPECT_LE(exchanges(), 500u + 6);
  EXPECT_EQ(h.acknowledged, numbers(500));
}

TEST_F(BadRows, EveryTenthBadTakesAboutThreeExchangesForEach) {
  make("CREATE TABLE a (n bigint CHECK (n % 10 <> 9), t text)");
  write(2000);
  EXPECT_EQ(h.database().count("SELECT count(*) FROM a"), 1800);
  EXPECT_EQ(h.database().count("SELECT count(*) FROM iothub.dead_letter"), 200);
  EXPECT_LE(exchanges(), 3 * 200u + 8);
}

// ── Nobody is to blame ──

TEST_F(BadRows, DeadlockIsRetried) {
  make(
      "CREATE TABLE a (n bigint, t text); CREATE TABLE fail (times int); INSERT INTO fail VALUES "
      "(3); CREATE SEQUENCE tries; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
      "$$BEGIN IF nextval('tries') <= 3 THEN RAISE 'made up' USING ERRCODE = '40P01'; END IF; "
      "RETURN NEW; END$$; CREATE TRIGGER g BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()");
  write(10);
  EXPECT_EQ(h.database().query("SELECT count(*) FROM a"), "10");
  EXPECT_EQ(dead_letters(), "");
  EXPECT_EQ(h.writer().counters().batch_retries.value(), 3u);
  EXPECT_EQ(h.notices, (std::vector<std::string>{"unavailable: 40P01 made up", "available"}));
  EXPECT_EQ(h.acknowledged, numbers(10));
}

TEST_F(BadRows, RealDeadlockIsRetried) {
  make(
      "CREATE TABLE a (n bigint PRIMARY KEY, t text); CREATE TABLE b (n bigint PRIMARY KEY, t "
      "text)");
  // The other side holds a row of b and will ask for one of a; the writer does it the other way
  // round, as its batch writes a first. The one that looks for deadlocks first is ended: the
  // writer.
  h.database().query(
      fmt::format("ALTER DATABASE {} SET deadlock_timeout = '2s'", h.database().name()));
  h.restart_writer();
  h.database().query("SET deadlock_timeout = '60s'; BEGIN; INSERT INTO b VALUES (1)");
  h.append(make_target("a", kColumns, {"n"}), 1);
  h.append(make_target("b", kColumns, {"n"}), 1);
  h.writer().end_of_turn();
  h.run_until([&] {
    h.run_handlers(1);
    return h.database().count("SELECT count(*) FROM pg_locks WHERE NOT granted") == 1;
  });
  h.database().query("INSERT INTO a VALUES (1); COMMIT");
  h.run_until_idle();
  EXPECT_EQ(h.acknowledged, (std::vector<std::uint64_t>{1, 1}));
  EXPECT_EQ(h.outcomes["a"].duplicates + h.outcomes["b"].duplicates, 2u);
  EXPECT_EQ(h.notices.at(0).substr(0, 18), "unavailable: 40P01");
}

TEST_F(BadRows, LockTimeoutIsRetried) {
  make("CREATE TABLE a (n bigint, t text)");
  h.database().query(
      fmt::format("ALTER DATABASE {} SET lock_timeout = '20ms'", h.database().name()));
  h.restart_writer();
  h.database().query("BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE");
  for (int n = 0; n < 10; ++n) h.append(target, n);
  h.writer().end_of_turn();
  h.run_until([&] { return h.writer().counters().batch_retries.value() > 1; });
  EXPECT_TRUE(h.acknowledged.empty());
  h.database().query("COMMIT");
  h.run_until_idle();
  EXPECT_EQ(h.notices,
            (std::vector<std::string>{"unavailable: 55P03 canceling statement due to lock timeout",
                                      "available"}));
  EXPECT_EQ(h.acknowledged, numbers(10));
  EXPECT_EQ(dead_letters(), "");
}

TEST_F(BadRows, DiskFullIsRetried) {
  make(
      "CREATE TABLE a (n bigint, t text); CREATE SEQUENCE tries; CREATE FUNCTION f() RETURNS "
      "trigger LANGUAGE plpgsql AS $$BEGIN IF nextval('tries') <= 2 THEN RAISE 'full' USING "
      "ERRCODE = 'disk_full'; END IF; RETURN NEW; END$$; CREATE TRIGGER g BEFORE INSERT ON a FOR "
      "EACH ROW EXECUTE FUNCTION f()");
  write(10);
  EXPECT_EQ(h.database().query("SELECT count(*) FROM a"), "10");
  EXPECT_EQ(h.notices.at(0), "unavailable: 53100 full");
}

TEST_F(BadRows, StatementTimeoutIsMetBySmallerPieces) {
  make(
      "CREATE TABLE a (n bigint, t text); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
      "$$BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END$$; CREATE TRIGGER g BEFORE INSERT ON a FOR "
      "EACH ROW EXECUTE FUNCTION f()");
  h.database().query(
      fmt::format("ALTER DATABASE {} SET statement_timeout = '100ms'", h.database().name()));
  h.restart_writer();
  write(40);  // 400 ms as one statement
  EXPECT_EQ(h.database().query("SELECT count(*) FROM a"), "40");
  EXPECT_EQ(dead_letters(), "");
  EXPECT_EQ(h.acknowledged, numbers(40));
}

TEST_F(BadRows, RowThatTimesOutAloneIsGivenUpInTheEnd) {
  make(
      "CREATE TABLE a (n bigint, t text); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
      "$$BEGIN IF NEW.n = 2 THEN PERFORM pg_sleep(10); END IF; RETURN NEW; END$$; CREATE TRIGGER g "
      "BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()");
  h.database().query(
      fmt::format("ALTER DATABASE {} SET statement_timeout = '150ms'", h.database().name()));
  h.restart_writer();
  write(4);
  EXPECT_EQ(h.database().query("SELECT n FROM a ORDER BY n"), "0\n1\n3");
  EXPECT_EQ(dead_letters(), "1 57014 row_refused canceling statement due to statement timeout");
}

}  // namespace
}  // namespace hub::storage
