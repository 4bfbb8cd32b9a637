// The database goes away in every way that a test can cause: acknowledgements wait, then come in
// order, and no row is there twice.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "storage/session_states.h"
#include "tests/storage/writer_harness.h"
#include "tests/support/fault_proxy.h"

namespace hub::storage {
namespace {

using test::FaultProxy;
using test::PostgresServer;

const std::vector<Column> kColumns = {make_column("n", ColumnType::int8, "bigint"),
                                      make_column("t", ColumnType::text, "text")};

constexpr auto kTable = "CREATE TABLE a (n bigint, t text)";
constexpr auto kCounts = "SELECT count(*), count(DISTINCT n) FROM a";

PgWriterOptions impatient() {
  PgWriterOptions options;
  options.answer_timeout = std::chrono::milliseconds(150);
  return options;
}

TEST(DatabaseAway, HoldsAcknowledgementsWhileTheServerIsStopped) {
  WriterHarness h;
  h.database().query(kTable);
  const auto target = make_target("a", kColumns);
  h.append(target, 0);
  h.run_until_idle();
  PostgresServer::instance().stop();
  for (int i = 1; i < 100; ++i) {
    h.append(target, i);
    h.writer().end_of_turn();
    h.run_handlers(3);
  }
  h.run_until([&] { return h.writer().counters().connection_failures.value() > 2; });
  EXPECT_EQ(h.acknowledged, numbers(1));
  EXPECT_FALSE(h.writer().idle());
  PostgresServer::instance().start();
  h.run_until_idle();
  EXPECT_EQ(h.acknowledged, numbers(100));
  EXPECT_EQ(h.database().query(kCounts), "100|100");
  ASSERT_GE(h.notices.size(), 2u);
  EXPECT_EQ(h.notices.front().substr(0, 11), "unavailable");
  EXPECT_EQ(h.notices.back(), "available");
}

TEST(DatabaseAway, StartsBeforeTheServerDoes) {
  WriterHarness h;
  h.database().query(kTable);
  PostgresServer::instance().stop();
  h.restart_writer();
  h.append(make_target("a", kColumns), 0);
  h.writer().end_of_turn();
  h.run_until([&] { return h.writer().counters().connection_failures.value() > 1; });
  PostgresServer::instance().start();
  h.run_until_idle();
  EXPECT_EQ(h.acknowledged, numbers(1));
}

// How a batch of few rows goes, and what is seen of it on the link.
enum class Way { copy, array };
constexpr Way kWays[] = {Way::copy, Way::array};
// The first piece of a batch that has rows.
constexpr const char* rows_by(Way way) { return way == Way::copy ? "PGCOPY" : "iothub_"; }
// The answer that tells of the whole transaction.
constexpr const char* done_by(Way way) { return way == Way::copy ? "COPY " : "INSERT "; }

// A writer behind a proxy, with one row committed.
struct ProxiedWriter {
  FaultProxy proxy{PostgresServer::instance().socket_path()};
  WriterHarness h{impatient(), [this](std::string_view database) { return proxy.url(database); }};
  RowTargetPtr target = make_target("a", kColumns);

  explicit ProxiedWriter(Way way = Way::copy) {
    if (way == Way::copy) h.copy_always();
    h.database().query(kTable);
    h.append(target, 0);
    h.run_until_idle();
  }
  const WriterCounters& counters() { return h.writer().counters(); }
};

TEST(DatabaseAway, SendsNoBatchAgainThatCommittedUnheard) {
  for (const Way way : kWays) {
    ProxiedWriter w(way);
    w.proxy.hold(FaultProxy::Side::server, done_by(way));
    for (int i = 1; i < 10; ++i) w.h.append(w.target, i);
    w.h.writer().end_of_turn();
    w.h.run_until([&] { return w.proxy.holds(); });
    EXPECT_EQ(w.h.database().query(kCounts), "10|10");
    EXPECT_EQ(w.h.acknowledged, numbers(1));
    w.proxy.cut();
    w.h.run_until_idle();
    EXPECT_EQ(w.h.acknowledged, numbers(10));
    EXPECT_EQ(w.h.database().query(kCounts), "10|10");
    EXPECT_EQ(w.counters().commits_in_doubt.value(), 1u);
    EXPECT_EQ(w.counters().commits_confirmed.value(), 1u);
    EXPECT_EQ(w.counters().batch_retries.value(), 0u);
    EXPECT_EQ(w.counters().rows.value(), 10u);
  }
}

TEST(DatabaseAway, SendsABatchAgainThatWasCutOffBeforeItsEnd) {
  for (const Way way : kWays) {
    ProxiedWriter w(way);
    w.proxy.hold(FaultProxy::Side::hub, rows_by(way));
    for (int i = 1; i < 10; ++i) w.h.append(w.target, i);
    w.h.writer().end_of_turn();
    w.h.run_until([&] { return w.proxy.holds(); });
    w.proxy.cut();
    w.proxy.heal();
    w.h.run_until_idle();
    EXPECT_EQ(w.h.acknowledged, numbers(10));
    EXPECT_EQ(w.h.database().query(kCounts), "10|10");
    EXPECT_EQ(w.counters().commits_in_doubt.value(), 1u);
  }
}

// What a killed hub had sent must not commit behind the back of the one that comes after: its
// packet ids would not be known there, and QoS 2 messages be stored a second time.
TEST(DatabaseAway, CommitsNothingOfAnEarlierHubAfterItsSessionStatesWereLoaded) {
  for (const char* held_from : {"", "PGCOPY"}) {  // before the batch, and in the midst of it
    ProxiedWriter w;
    w.proxy.hold(FaultProxy::Side::hub, held_from);
    w.h.when_closing = [&] { w.h.writer().make_durable(bare_session("c1")); };
    w.h.append(w.target, 1);
    w.h.writer().end_of_turn();
    w.h.run_until([&] { return w.proxy.holds(); });
    w.h.when_closing = nullptr;
    w.h.drop_writer();
    int sessions = 0;
    load_session_states(w.h.database().url(), [&](const StoredSession&) { ++sessions; });
    EXPECT_EQ(sessions, 0);
    w.proxy.heal();
    w.h.restart_writer();
    w.h.append(w.target, 2);
    w.h.run_until_idle();
    const auto nobody_else = [&] {
      return w.h.database().count(
                 "SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                 "'iothub' AND datname = current_database()") == 1;
    };
    w.h.run_until(nobody_else);
    EXPECT_EQ(w.h.database().query("SELECT string_agg(n::text, ',' ORDER BY n) FROM a"), "0,2");
    EXPECT_EQ(w.h.database().query("SELECT count(*) FROM iothub.session_state"), "0");
  }
}

TEST(DatabaseAway, GivesUpALinkThatIsABlackHole) {
  ProxiedWriter w;
  w.proxy.hold(FaultProxy::Side::hub);
  w.proxy.hold(FaultProxy::Side::server);
  for (int i = 1; i < 10; ++i) w.h.append(w.target, i);
  w.h.run_until_idle();
  EXPECT_EQ(w.h.acknowledged, numbers(10));
  EXPECT_EQ(w.counters().answer_timeouts.value(), 1u);
  EXPECT_EQ(w.h.notices, (std::vector<std::string>{
                             "unavailable:  the database did not answer for 0.15 s", "available"}));
}

// The server waits for rows that never come, and holds the writer's mark all the while.
TEST(DatabaseAway, EndsTheBackendThatAnAbandonedBatchIsStuckIn) {
  ProxiedWriter w;
  w.h.options().answer_timeout = std::chrono::seconds(5);
  w.proxy.hold(FaultProxy::Side::hub, "PGCOPY");
  w.h.append(w.target, 1);
  w.h.writer().end_of_turn();
  w.h.run_until([&] { return w.counters().answer_timeouts.value() > 0; });
  w.h.run_until([&] { return w.h.acknowledged.size() == 2; });
  EXPECT_EQ(w.h.database().query(kCounts), "2|2");
  EXPECT_NE(PostgresServer::instance().log().find("57P01"), std::string::npos);
}

// A whole batch lies in the network while the writer gives its link up, and arrives long after.
TEST(DatabaseAway, RefusesABatchThatArrivesAfterItsLinkWasGivenUp) {
  ProxiedWriter w;
  w.h.database().query("CREATE TABLE k (n bigint PRIMARY KEY, t text)");
  const auto keyed = make_target("k", kColumns, {"n"}, OnConflict::update);
  for (int i = 0; i < 2; ++i) w.h.append(keyed, 1, "first");  // a repeat: from now on by array
  w.h.run_until_idle();
  w.proxy.hold(FaultProxy::Side::hub, rows_by(Way::array));
  w.h.append(keyed, 1, "early");
  w.h.run_until_idle();  // by another link
  w.h.append(keyed, 1, "late");
  w.h.run_until_idle();
  const std::size_t logged = PostgresServer::instance().log().size();
  w.proxy.heal();
  w.h.run_until([&] {
    w.h.run_handlers(1);
    return PostgresServer::instance().log().find("IH001", logged) != std::string::npos;
  });
  EXPECT_EQ(w.h.database().query("SELECT t FROM k"), "late");
}

TEST(DatabaseAway, RepeatsNoRowWhenBackendsAreEndedAtRandom) {
  WriterHarness h;
  h.database().query(kTable);
  h.database().query("CREATE TABLE k (n bigint PRIMARY KEY, t text)");
  const auto target = make_target("a", kColumns);
  const auto keyed = make_target("k", kColumns, {"n"});
  const std::uint32_t seed = std::random_device{}();
  RecordProperty("seed", static_cast<int>(seed));
  std::minstd_rand random(seed);
  std::int64_t n = 0;
  for (int round = 0; round < 60; ++round) {
    for (auto rows = random() % 200; rows > 0; --rows) {
      h.append(round % 3 == 0 ? keyed : target, n++);
      if (random() % 8 == 0) h.writer().end_of_turn();
      if (random() % 4 == 0) h.run_handlers(1);
    }
    h.writer().end_of_turn();
    h.run_handlers(static_cast<int>(random() % 12));
    if (round % 4 == 0) h.run_until_idle();  // there is a backend to end, however slow the machine
    h.database().query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'iothub' "
        "AND datname = current_database()");
  }
  h.run_until_idle();
  const auto count = static_cast<std::uint64_t>(n);
  EXPECT_EQ(h.acknowledged, numbers(count)) << "seed " << seed;
  EXPECT_EQ(h.database().query("SELECT count(*), count(DISTINCT n) FROM (SELECT n FROM a UNION ALL "
                               "SELECT n FROM k) AS x"),
            fmt::format("{0}|{0}", n))
      << "seed " << seed;
  EXPECT_EQ(h.writer().counters().rows.value(), count) << "seed " << seed;
  EXPECT_GT(h.writer().counters().connections.value(), 10u);
}

TEST(DatabaseAway, RepeatsNoRowWhenTheServerCrashes) {
  WriterHarness h;
  h.database().query(kTable);
  const auto target = make_target("a", kColumns);
  std::int64_t n = 0;
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 500; ++i) {
      h.append(target, n++);
      if (i % 50 == 0) h.writer().end_of_turn();
      if (i % 10 == 0) h.run_handlers(1);
    }
    PostgresServer::instance().crash();
    for (int i = 0; i < 100; ++i) h.append(target, n++);
    h.writer().end_of_turn();
    h.run_handlers(10);
    PostgresServer::instance().start();
  }
  h.run_until_idle();
  EXPECT_EQ(h.acknowledged, numbers(static_cast<std::uint64_t>(n)));
  EXPECT_EQ(h.database().query(kCounts), fmt::format("{0}|{0}", n));
}

TEST(DatabaseAway, WaitsWhileTheDatabaseIsReadOnly) {
  WriterHarness h;
  h.database().query(kTable);
  const std::string name = h.database().name();
  const auto target = make_target("a", kColumns);
  h.run_until([&] { return h.writer().counters().connections.value() == 1; });
  h.database().query(fmt::format("ALTER DATABASE {} SET default_transaction_read_only = on", name));
  h.restart_writer();
  h.append(target, 0);
  h.writer().end_of_turn();
  h.run_until([&] { return !h.notices.empty(); });
  EXPECT_EQ(h.notices[0], "unavailable: 25006 cannot execute UPDATE in a read-only transaction");
  h.database().query(
      fmt::format("SET default_transaction_read_only = off; ALTER DATABASE {} RESET "
                  "default_transaction_read_only",
                  name));
  h.run_until_idle();
  EXPECT_EQ(h.acknowledged, numbers(1));
  EXPECT_EQ(h.notices.back(), "available");
}

TEST(DatabaseAway, WaitsWhileNoConnectionIsLeft) {
  test::TestDatabase admin;
  admin.query("DROP ROLE IF EXISTS crowded");
  admin.query("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0");
  WriterHarness h({}, [](std::string_view database) {
    return PostgresServer::instance().url(database, "crowded");
  });
  h.database().query(kTable);
  h.append(make_target("a", kColumns), 0);
  h.writer().end_of_turn();
  h.run_until([&] { return h.writer().counters().connection_failures.value() > 2; });
  EXPECT_NE(h.notices.at(0).find("too many connections"), std::string::npos) << h.notices[0];
  h.database().query("ALTER ROLE crowded SUPERUSER");
  h.run_until_idle();
  EXPECT_EQ(h.acknowledged, numbers(1));
}

}  // namespace
}  // namespace hub::storage
