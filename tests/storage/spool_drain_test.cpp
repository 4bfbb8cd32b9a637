// A spool that an earlier writer has left: each of its records is in the database once.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <future>

#include "storage/session_states.h"
#include "tests/storage/spooling_writer.h"

namespace hub::storage {
namespace {

using test::PostgresServer;
using testing::Contains;

TEST(SpoolDrain, AWriterOfTheSameNameGivesTheDatabaseWhatAnEarlierOneHasLeft) {
  SpoolingWriter w;
  w.write(0, 1);
  w.run_until_drained();  // as it may have been spooled, where a commit takes long
  PostgresServer::instance().stop();
  w.write(1, 30);
  w.keep_files();
  w.restart_with_kept_files();
  EXPECT_EQ(w.h().writer().spooled().records, 29u);
  PostgresServer::instance().start();
  w.run_until_drained();
  EXPECT_EQ(w.rows(), SpoolingWriter::all_rows(30));
  EXPECT_EQ(w.h().notices.back(), "drained");
}

TEST(SpoolDrain, IsStoppedAfterAnyNumberOfCommitsAndRepeatsNone) {
  constexpr std::int64_t kRows = 6;
  for (std::int64_t commits = 0; commits <= kRows; ++commits) {
    SpoolingWriter w;
    w.h().options().limits.rows = 1;  // a transaction for each record
    w.restart();
    PostgresServer::instance().stop();
    w.write(0, kRows);
    w.keep_files();  // nothing is removed from these
    PostgresServer::instance().start();
    w.h().run_until([&] {
      return w.counters().spool_records_drained.value() >= static_cast<std::uint64_t>(commits);
    });
    w.restart_with_kept_files();
    w.run_until_drained();
    EXPECT_EQ(w.rows(), SpoolingWriter::all_rows(kRows)) << commits;
  }
}

TEST(SpoolDrain, IsStoppedAtAnyTurnOfTheLoopAndRepeatsNothing) {
  constexpr std::int64_t kRows = 40;
  for (int handlers = 0; handlers < 56; handlers += 5) {
    SpoolingWriter w;
    w.h().options().limits.rows = 7;
    w.restart();
    PostgresServer::instance().stop();
    w.write(0, kRows);
    PostgresServer::instance().start();
    w.h().run_handlers(handlers);
    w.keep_files();
    w.h().drop_writer();  // what it has sent may commit yet
    load_session_states(w.h().database().url(), [](const StoredSession&) {});
    w.restart_with_kept_files();
    w.run_until_drained();
    EXPECT_EQ(w.rows(), SpoolingWriter::all_rows(kRows)) << handlers;
  }
}

TEST(SpoolDrain, BringsSessionStatesDeadLettersKeyedRowsAndTheLedger) {
  SpoolingWriter w;
  w.h().database().query("CREATE TABLE k (n bigint PRIMARY KEY, t text)");
  const auto keyed = make_target("k", kSpooledColumns, {"n"}, OnConflict::update);
  std::int64_t n = 0;
  w.h().when_closing = [&] {
    w.h().writer().make_durable(bare_session("c1", static_cast<std::uint32_t>(n + 1)));
    w.h().writer().add_to_ledger("r", {.received = 3, .committed = 2, .dead_lettered = 1}, {});
    w.h().writer().add_to_device_ledger("r", "d1", {.received = 3, .committed = 3});
    w.h().writer().add_to_sequence("r", "d1", fmt::format("{{[{0},{1})}}", n, n + 1), 0);
  };
  PostgresServer::instance().stop();
  for (; n < 10; ++n) {
    w.h().append(keyed, 1, fmt::format("value {}", n));
    w.h().writer().append_dead_letter("r", "dump a", "value_unfit", "too long",
                                      WriterHarness::message(n));
    w.write(n, n + 1);
  }
  w.restart();
  w.h().when_closing = nullptr;
  PostgresServer::instance().start();
  w.run_until_drained();
  auto& database = w.h().database();
  EXPECT_EQ(w.rows(), SpoolingWriter::all_rows(10));
  EXPECT_EQ(database.query("SELECT n, t FROM k"), "1|value 9");
  EXPECT_EQ(database.count("SELECT count(*) FROM iothub.dead_letter"), 10);
  EXPECT_EQ(database.query("SELECT state FROM iothub.session_state"), bare_session_row(10));
  EXPECT_EQ(database.query("SELECT received, committed, dead_lettered FROM iothub.ledger"),
            "30|20|10");
  EXPECT_EQ(database.query("SELECT received FROM iothub.device_ledger"), "30");
  EXPECT_EQ(database.query("SELECT seen FROM iothub.device_sequence"), "{[0,10)}");
}

TEST(SpoolDrain, RowsThatTheDatabaseRefusesBecomeDeadLetters) {
  SpoolingWriter w;
  w.h().when_closing = [&] {
    w.h().writer().add_to_ledger("r", {.received = 1, .committed = 1}, {});
  };
  w.h().database().query("ALTER TABLE a ADD CHECK (n % 10 <> 7)");
  PostgresServer::instance().stop();
  w.write(0, 30);
  w.restart();
  w.h().when_closing = nullptr;
  PostgresServer::instance().start();
  w.run_until_drained();
  EXPECT_EQ(w.h().database().query("SELECT count(*), count(DISTINCT n) FROM a"), "27|27");
  EXPECT_EQ(w.h().database().query(
                "SELECT string_agg((extract(microsecond FROM received_at)::int % 100)::text, ',' "
                "ORDER BY received_at), min(reason), min(rule) FROM iothub.dead_letter"),
            "7,17,27|row_refused|r");
  EXPECT_EQ(w.h().database().query("SELECT received, committed, dead_lettered FROM iothub.ledger"),
            "30|27|3");
}

TEST(SpoolDrain, ATableThatWasChangedMeanwhileMakesDeadLetters) {
  SpoolingWriter w;
  PostgresServer::instance().stop();
  w.write(0, 10);
  w.h().drop_writer();
  PostgresServer::instance().start();
  w.h().database().query("ALTER TABLE a ALTER COLUMN n TYPE boolean USING n > 0");
  w.restart();
  w.run_until_drained();
  EXPECT_EQ(w.h().database().count("SELECT count(*) FROM a"), 0);
  EXPECT_EQ(w.h().database().count(
                "SELECT count(*) FROM iothub.dead_letter WHERE reason = 'table_unusable'"),
            10);
}

// Behind all that is in it.
void append_nonsense(Spool& spool) {
  const auto lane = spool.lanes().at(0);
  std::promise<void> appended;
  spool.append(lane.owner, {lane.last.number + 1, lane.last.sequence + 1}, "no batch at all",
               [&](const auto& fault) {
                 EXPECT_FALSE(fault);
                 appended.set_value();
               });
  appended.get_future().wait();
}

TEST(SpoolDrain, ARecordThatIsNotUnderstoodTakesNothingAlongThatIsNotCommitted) {
  SpoolingWriter w;
  PostgresServer::instance().stop();
  w.write(0, 3);
  w.restart();
  append_nonsense(*w.h().options().spool);
  w.restart();
  w.write(3, 6);
  w.restart();
  EXPECT_EQ(w.h().writer().spooled().records, 7u);
  PostgresServer::instance().start();
  auto& database = w.h().database();
  database.query("BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE");
  w.h().run_until([&] {
    return database.count(
               "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = "
               "'a'::regclass") > 0;
  });
  w.restart();  // while the batch is on its way, which the next link ends
  w.h().run_until([&] { return w.counters().connections.value() == 1; });
  database.query("ROLLBACK");
  w.run_until_drained();
  EXPECT_EQ(w.rows(), SpoolingWriter::all_rows(6));
  EXPECT_THAT(w.h().notices, Contains("lost 1: a record is not understood"));
}

TEST(SpoolDrain, SaysHowManyRecordsAreMissingAndDrainsTheRest) {
  test::TemporaryDirectory directory;
  const SpoolOwner owner{"11111111-2222-3333-4444-555555555555", 0};
  {
    SpoolStore store{{directory.path() / "spool"}};
    for (const std::uint64_t number : {1, 2, 5}) {
      const SpoolStore::Entry entries[] = {{owner, {number, number}, "no batch at all"}};
      ASSERT_FALSE(store.append(entries));
    }
  }
  Spool spool{{directory.path() / "spool"}};
  PgWriterOptions options;
  options.spool = &spool;
  WriterHarness h{options};
  h.run_until([&] { return h.writer().spooled().records == 0; });
  h.run_until([&] { return h.writer().idle(); });
  EXPECT_THAT(h.notices, Contains("lost 2: they are not there"));
  EXPECT_EQ(h.writer().counters().spool_records_lost.value(), 5u);
  h.drop_writer();
}

}  // namespace
}  // namespace hub::storage
