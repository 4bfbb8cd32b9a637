// What a batch adds to the ledger commits with its rows, exactly once, whatever becomes of them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "storage/migration.h"
#include "tests/storage/writer_harness.h"

namespace hub::storage {
namespace {

const std::vector<Column> kBookedColumns = {make_column("n", ColumnType::int8, "bigint"),
                                            make_column("t", ColumnType::text, "text")};

// Rows of the rule "r", one message each unless said otherwise, and their account.
class LedgerBooking : public testing::Test {
 protected:
  LedgerBooking() {
    h.when_closing = [this] {
      if (counts == LedgerCounts{} && rows == LedgerRows{}) return;
      h.writer().add_to_ledger("r", std::exchange(counts, {}), std::exchange(rows, {}));
    };
  }

  void append(const RowTargetPtr& to, std::int64_t n) {
    h.append(to, n);
    ++counts.received;
    ++counts.committed;
  }
  // "received|committed|filtered|dead_lettered|nothing_to_store|shed|rows|duplicates"
  std::string booked() {
    return h.database().query(
        "SELECT sum(received), sum(committed), sum(filtered), sum(dead_lettered), "
        "sum(nothing_to_store), sum(shed_storage_full), sum(rows), sum(duplicates) "
        "FROM iothub.ledger WHERE rule = 'r'");
  }

  LedgerCounts counts;
  LedgerRows rows;
  WriterHarness h;
  RowTargetPtr target = make_target("a", kBookedColumns);
};

TEST_F(LedgerBooking, AddsUpOverBatches) {
  h.database().query("CREATE TABLE a (n bigint, t text)");
  for (std::int64_t n = 0; n < 3; ++n) {
    append(target, n);
    ++counts.received;
    ++counts.filtered;
    h.run_until_idle();
  }
  EXPECT_EQ(booked(), "6|3|3|0|0|0|3|0");
  EXPECT_EQ(h.booked["r"].committed, 3);
  EXPECT_EQ(h.booked["r"].filtered, 3);
}

// While a dump runs, the rows that each batch changes leave versions behind that nobody removes.
TEST_F(LedgerBooking, ReadsNoWholeTableToFindItsRows) {
  h.when_closing = [this] { h.writer().add_to_ledger("r", {.received = 1}, {}); };
  constexpr int kBatches = 50;
  for (int i = 0; i < kBatches; ++i) {
    h.writer().ledger_changed();
    h.run_until_idle();
  }
  h.drop_writer();  // its backend tells what it has done when it ends
  h.run_until([this] {
    return h.database().count(
               "SELECT count(*) FROM pg_stat_user_tables WHERE relid IN "
               "('iothub.writer'::regclass, 'iothub.ledger'::regclass) AND n_tup_upd >= 49") == 2;
  });
  EXPECT_EQ(h.database().query("SELECT max(seq_scan + coalesce(idx_scan, 0)) < 10 FROM "
                               "pg_stat_user_tables WHERE relid IN ('iothub.writer'::regclass, "
                               "'iothub.ledger'::regclass)"),
            "t");
}

TEST_F(LedgerBooking, FindsItsRowsWhereverTheyWereMoved) {
  h.when_closing = [this] { h.writer().add_to_ledger("r", {.received = 1}, {}); };
  for (int i = 0; i < 4; ++i) {
    h.writer().ledger_changed();
    h.run_until_idle();
    if (i == 1) {
      h.database().query(
          "INSERT INTO iothub.ledger SELECT 'a', hub, 9, 0, 0, 0, 0, 0, 0, 0, 0 "
          "FROM iothub.ledger, generate_series(1, 300)");
      h.database().query("CREATE INDEX ledger_order ON iothub.ledger (rule)");
      h.database().query("CLUSTER iothub.ledger USING ledger_order");
      h.database().query("VACUUM FULL iothub.writer");
    }
  }
  EXPECT_EQ(h.database().query("SELECT received FROM iothub.ledger WHERE rule = 'r'"), "4");
  EXPECT_EQ(h.writer().counters().batch_retries.value(), 0u);
}

TEST_F(LedgerBooking, WritesABatchThatHasNothingElse) {
  counts = {.received = 5, .filtered = 2, .nothing_to_store = 2, .shed_storage_full = 1};
  h.writer().ledger_changed();
  h.run_until_idle();
  EXPECT_EQ(booked(), "5|0|2|0|2|1|0|0");
}

TEST_F(LedgerBooking, NamesOfRulesMayHaveAnyCharacter) {
  h.when_closing = [this] { h.writer().add_to_ledger("it's {\"a\", b}\\", {.received = 1}, {}); };
  h.writer().ledger_changed();
  h.run_until_idle();
  EXPECT_EQ(h.database().query("SELECT rule, received FROM iothub.ledger"), "it's {\"a\", b}\\|1");
}

TEST_F(LedgerBooking, MovesWhatTheDatabaseRefusesToDeadLetters) {
  h.database().query("CREATE TABLE a (n bigint CHECK (n % 10 <> 7), t text)");
  for (std::int64_t n = 0; n < 100; ++n) append(target, n);
  h.run_until_idle();
  EXPECT_EQ(booked(), "100|90|0|10|0|0|90|0");
  EXPECT_EQ(h.booked["r"].committed, 90);
  EXPECT_EQ(h.booked["r"].dead_lettered, 10);
  EXPECT_EQ(h.refused, std::vector<std::string>(10, "r d1"));
}

TEST_F(LedgerBooking, MovesAllWhenATableIsGone) {
  for (std::int64_t n = 0; n < 100; ++n) append(target, n);
  h.run_until_idle();
  EXPECT_EQ(booked(), "100|0|0|100|0|0|0|0");
}

TEST_F(LedgerBooking, CountsAMessageOnceHoweverManyOfItsRowsAreRefused) {
  h.database().query(
      "CREATE TABLE a (n bigint CHECK (n <> 1), t text); CREATE TABLE b (LIKE a INCLUDING ALL)");
  const auto other = make_target("b", kBookedColumns);
  for (std::int64_t n = 0; n < 3; ++n) {
    append(target, n);
    h.append(other, n);
  }
  h.run_until_idle();
  EXPECT_EQ(h.database().count("SELECT count(*) FROM iothub.dead_letter"), 2);
  EXPECT_EQ(booked(), "3|2|0|1|0|0|4|0");
}

TEST_F(LedgerBooking, CountsAMessageOnceThatIsADeadLetterByItsRuleToo) {
  h.database().query("CREATE TABLE a (n bigint CHECK (n <> 1), t text)");
  h.append(target, 1);
  h.writer().append_dead_letter("r", "dump b", "value_unfit", "too long", h.message(1));
  counts = {.received = 1, .dead_lettered = 1};
  h.run_until_idle();
  EXPECT_EQ(h.database().count("SELECT count(*) FROM iothub.dead_letter"), 2);
  EXPECT_EQ(booked(), "1|0|0|1|0|0|0|0");
  EXPECT_TRUE(h.refused.empty());
}

TEST_F(LedgerBooking, KeyedRowsAreBookedByWhoGaveThem) {
  h.database().query("CREATE TABLE a (n bigint PRIMARY KEY, t text)");
  const auto keyed = make_target("a", kBookedColumns, {"n"});
  append(keyed, 1);
  append(keyed, 1);
  h.run_until_idle();
  EXPECT_EQ(booked(), "2|2|0|0|0|0|0|0");
  rows = {static_cast<std::int64_t>(h.outcomes["a"].committed),
          static_cast<std::int64_t>(h.outcomes["a"].duplicates)};
  h.writer().ledger_changed();
  h.run_until_idle();
  EXPECT_EQ(booked(), "2|2|0|0|0|0|1|1");
}

TEST_F(LedgerBooking, IsExactWhenBackendsAreEndedAtRandom) {
  h.database().query("CREATE TABLE a (n bigint CHECK (n % 50 <> 7), t text)");
  const std::uint32_t seed = std::random_device{}();
  std::minstd_rand random(seed);
  std::int64_t n = 0;
  for (int round = 0; round < 40; ++round) {
    for (auto count = random() % 100; count > 0; --count) append(target, n++);
    h.writer().end_of_turn();
    h.run_handlers(static_cast<int>(random() % 12));
    h.database().query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'iothub' "
        "AND datname = current_database()");
  }
  h.run_until_idle();
  EXPECT_EQ(booked(), h.database().query(fmt::format(
                          "SELECT {}, count(*), 0, (SELECT count(*) FROM iothub.dead_letter), 0, "
                          "0, count(*), 0 FROM a",
                          n)))
      << "seed " << seed;
}

TEST_F(LedgerBooking, MaintenanceAddsUpTheRowsOfWritersThatAreGone) {
  h.database().query("CREATE TABLE a (n bigint, t text)");
  append(target, 1);
  h.run_until_idle();
  h.database().query("UPDATE iothub.writer SET seen_at = now() - interval '2 days'");
  EXPECT_FALSE(maintain(h.database().url()).empty());
  EXPECT_EQ(h.database().query("SELECT DISTINCT hub FROM iothub.ledger"),
            "00000000-0000-0000-0000-000000000000");
  append(target, 2);
  h.run_until_idle();
  EXPECT_EQ(booked(), "2|2|0|0|0|0|2|0");
}

// The part of devices.
class DeviceBooking : public testing::Test {
 protected:
  void add(std::string_view device, const LedgerCounts& counts) {
    h.when_closing = [=, this] { h.writer().add_to_device_ledger("r", device, counts); };
    h.writer().ledger_changed();
    h.run_until_idle();
  }
  void add_seen(std::string_view seen, std::int64_t given_up = 0) {
    h.when_closing = [=, this] { h.writer().add_to_sequence("r", "d1", seen, given_up); };
    h.writer().ledger_changed();
    h.run_until_idle();
  }
  std::string seen() {
    return h.database().query("SELECT seen, given_up FROM iothub.device_sequence");
  }

  WriterHarness h;
};

TEST_F(DeviceBooking, AddsUpAndTakesBack) {
  add("d1", {.received = 3, .committed = 3});
  add("d2", {.received = 1, .filtered = 1});
  add("d1", {.received = 1, .committed = 0, .dead_lettered = 1});
  add("d1", {.committed = -2, .dead_lettered = 2});
  EXPECT_EQ(h.database().query("SELECT device, received, committed, filtered, dead_lettered FROM "
                               "iothub.device_ledger ORDER BY 1"),
            "d1|4|1|0|3\nd2|1|0|1|0");
}

TEST_F(DeviceBooking, CommitsBesideRowsOfBothKinds) {
  h.database().query(
      "CREATE TABLE a (n bigint, t text); CREATE TABLE k (n bigint PRIMARY KEY, t "
      "text)");
  h.append(make_target("a", kBookedColumns), 1);
  h.append(make_target("k", kBookedColumns, {"n"}), 2);
  add("d1", {.received = 2, .committed = 2});
  EXPECT_EQ(h.acknowledged.size(), 2u);
  EXPECT_EQ(h.database().count("SELECT committed FROM iothub.device_ledger"), 2);
  EXPECT_EQ(h.writer().counters().batches.value(), 1u);
}

TEST_F(DeviceBooking, CommitsWithABatchThatIsTakenApart) {
  h.database().query("CREATE TABLE a (n bigint CHECK (n <> 1), t text)");
  h.append(make_target("a", kBookedColumns), 1);
  h.append(make_target("a", kBookedColumns), 2);
  add("d1", {.received = 2, .committed = 2});
  EXPECT_EQ(h.database().count("SELECT received FROM iothub.device_ledger"), 2);
}

// In the same transaction: were the hub to die now, nobody would put it right.
TEST_F(DeviceBooking, MovesWhatTheDatabaseRefusesToDeadLetters) {
  h.database().query("CREATE TABLE a (n bigint CHECK (n % 3 <> 1), t text)");
  const auto target = make_target("a", kBookedColumns);
  for (std::int64_t n = 0; n < 9; ++n) h.append(target, n);
  add("d1", {.received = 9, .committed = 9});
  EXPECT_EQ(h.database().query("SELECT received, committed, dead_lettered FROM "
                               "iothub.device_ledger"),
            "9|6|3");
  EXPECT_TRUE(h.refused.empty());
  h.append(target, 10);
  add("d2", {.received = 1, .committed = 1});
  EXPECT_EQ(h.refused, std::vector<std::string>{"r d1"});
}

TEST_F(DeviceBooking, SequenceNumbersMergeInAnyOrder) {
  add_seen("{[1,4)}");
  add_seen("{[6,8)}");
  EXPECT_EQ(seen(), "{[1,4),[6,8)}|0");
  add_seen("{[3,5)}", 2);
  EXPECT_EQ(seen(), "{[1,5),[6,8)}|2");
  add_seen("{[5,6)}");
  EXPECT_EQ(seen(), "{[1,8)}|2");
}

TEST_F(DeviceBooking, TheOldestOfTooManyGapsAreOnlyCounted) {
  std::string odd = "{";
  for (int n = 1; n < 2'021; n += 2) odd += fmt::format("{}[{},{})", n > 1 ? "," : "", n, n + 1);
  add_seen("{[1,2)}");
  add_seen(odd + "}");
  EXPECT_EQ(h.database().query("SELECT count(*), min(lower(r)), min(upper(r)), max(upper(r)), "
                               "min(s.given_up) FROM iothub.device_sequence s, unnest(s.seen) r"),
            "1000|1|22|2020|10");
}

// Devices number as they like: none may hold up the batches of the others.
TEST_F(DeviceBooking, GapsMayBeLargerThanTheirCount) {
  std::string even = "{";
  for (std::int64_t n = 9'223'372'036'854'700'000; n < 9'223'372'036'854'703'000; n += 2) {
    even += fmt::format("{}[{},{})", even.size() > 1 ? "," : "", n, n + 1);
  }
  add_seen("{[-9223372036854775808,-9223372036854775807)}", 7);
  add_seen(even + "}", 9'223'372'036'854'775'807);
  EXPECT_EQ(h.database().query("SELECT given_up FROM iothub.device_sequence"),
            "9223372036854775807");
  EXPECT_TRUE(h.notices.empty());
}

}  // namespace
}  // namespace hub::storage
