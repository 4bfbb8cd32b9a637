#include "storage/migration.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <thread>

#include "storage/session_states.h"
#include "tests/support/postgres_fixture.h"

namespace hub::storage {
namespace {

using test::TestDatabase;

constexpr auto kTables =
    "SELECT string_agg(c.oid::regclass::text, ' ' ORDER BY 1) FROM pg_class c WHERE relkind IN "
    "('r', 'p') AND NOT relispartition AND relnamespace IN ('public'::regnamespace, "
    "'iothub'::regnamespace)";

TEST(Migrations, AreNumberedFromOneWithoutGaps) {
  int expected = 1;
  for (const Migration& m : migrations()) {
    EXPECT_EQ(m.number, expected++);
    EXPECT_EQ(m.checksum.size(), 16u);
  }
  EXPECT_GT(expected, 5);
}

TEST(Migrations, AreAppliedOnce) {
  TestDatabase database;
  EXPECT_EQ(apply_migrations(database.url()).size(), migrations().size());
  EXPECT_TRUE(apply_migrations(database.url()).empty());
  EXPECT_EQ(schema_problem(database.url()), "");
  for (const MigrationStatus& s : migration_status(database.url())) {
    EXPECT_TRUE(s.applied_at) << s.name;
    EXPECT_EQ(s.problem, "");
  }
}

TEST(Migrations, TakeTurnsWhenTwoHubsStartAtOnce) {
  TestDatabase database;
  std::size_t applied = 0;
  std::thread other([&] { applied = apply_migrations(database.url()).size(); });
  const std::size_t own = apply_migrations(database.url()).size();
  other.join();
  EXPECT_EQ(applied + own, migrations().size());
}

TEST(Migrations, RefuseOneThatHasChanged) {
  TestDatabase database;
  apply_migrations(database.url());
  database.query("UPDATE iothub.migration SET checksum = 'other' WHERE number = 2");
  EXPECT_EQ(migration_status(database.url())[1].problem, "changed since it was applied");
  const std::string sentence =
      "migration 0002_writer has changed since it was applied to this database";
  EXPECT_EQ(schema_problem(database.url()), sentence);
  try {
    apply_migrations(database.url());
    FAIL() << "applied";
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(error.what(), sentence);
  }
}

TEST(Migrations, SayWhatIsMissingAndTheCommandThatMendsIt) {
  TestDatabase database;
  EXPECT_EQ(schema_problem(database.url()),
            "the database is not initialised for the hub; run: iothub db init --database '" +
                database.url() + "'");
  apply_migrations(database.url());
  database.query("DELETE FROM iothub.migration WHERE number = 5");
  EXPECT_EQ(schema_problem(database.url()),
            "the database lacks migration 0005_telemetry of this version; run: iothub db init "
            "--database '" +
                database.url() + "'");
}

TEST(Migrations, RefuseADatabaseThatCannotKeepEveryCharacter) {
  TestDatabase database;
  const std::string other = database.name() + "_latin";
  database.query("CREATE DATABASE " + other +
                 " ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
  const std::string url = test::PostgresServer::instance().url(other);
  const auto expect_refusal = [&](const auto& call) {
    try {
      call();
      FAIL() << "taken";
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(std::string(error.what()),
                "the database has the encoding LATIN1, and the hub needs UTF8; make one with: "
                "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0");
    }
  };
  expect_refusal([&] { apply_migrations(url); });
  expect_refusal([&] { (void)schema_problem(url); });
  EXPECT_NE(initialisation_script().find("server_encoding"), std::string::npos);
  database.query("DROP DATABASE " + other);
}

TEST(Migrations, LeaveThePasswordOutOfTheCommand) {
  TestDatabase database;
  const std::string with_password =
      "host=" +
      std::filesystem::path(test::PostgresServer::instance().socket_path()).parent_path().string() +
      " password=secret user=hub dbname=" + database.name();
  EXPECT_EQ(schema_problem(with_password).find("secret"), std::string::npos);
}

TEST(Migrations, KeepNothingOfOneThatFails) {
  TestDatabase database;
  database.query("CREATE TABLE public.telemetry (mine int)");
  try {
    apply_migrations(database.url());
    FAIL() << "applied";
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()),
              "migration 0005_telemetry failed: ERROR: relation \"telemetry\" already exists");
  }
  EXPECT_EQ(database.query("SELECT to_regclass('public.telemetry_device'), count(*) FROM "
                           "iothub.migration"),
            "NULL|4");
}

TEST(Migrations, GiveAScriptThatPsqlRunsTwice) {
  TestDatabase by_script;
  TestDatabase by_program;
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("iothub-script-" + std::to_string(getpid()));
  std::ofstream(file) << initialisation_script();
  const std::string command = "psql --no-psqlrc -q -v ON_ERROR_STOP=1 -f " + file.string() + " '" +
                              by_script.url() + "' >" + file.string() + ".log 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(std::system(command.c_str()), 0);
  apply_migrations(by_program.url());
  EXPECT_EQ(by_script.query(kTables), by_program.query(kTables));
  EXPECT_EQ(schema_problem(by_script.url()), "");

  by_script.query("UPDATE iothub.migration SET checksum = 'other' WHERE number = 1");
  EXPECT_NE(std::system(command.c_str()), 0);
  std::ifstream log(file.string() + ".log");
  const std::string text((std::istreambuf_iterator<char>(log)), {});
  EXPECT_NE(text.find("migration 0001_schema has changed"), std::string::npos) << text;
  std::filesystem::remove(file);
  std::filesystem::remove(file.string() + ".log");
}

TEST(Maintenance, MakesThePartitionsOfAWeekAhead) {
  TestDatabase database;
  apply_migrations(database.url());
  EXPECT_EQ(maintain(database.url()).size(), 8u);
  EXPECT_TRUE(maintain(database.url()).empty());
  database.query(
      "INSERT INTO telemetry VALUES (now(), 'd', 't', '{}'), "
      "(now() + interval '7 days', 'd', 't', '{}')");
  EXPECT_EQ(database.count("SELECT count(*) FROM telemetry_default"), 0);
}

TEST(Maintenance, MovesRowsOutOfTheDefaultPartition) {
  TestDatabase database;
  apply_migrations(database.url());
  database.query(
      "INSERT INTO telemetry VALUES ('2020-02-29 12:00Z', 'd', 't', '{}'), "
      "('2020-02-29 23:59:59.999999Z', 'd', 't', NULL), (now(), 'd', 't', '{}')");
  EXPECT_EQ(database.count("SELECT count(*) FROM telemetry_default"), 3);
  EXPECT_EQ(maintain(database.url()).size(), 9u);
  EXPECT_EQ(database.query("SELECT count(*), (SELECT count(*) FROM telemetry_default), (SELECT "
                           "count(*) FROM telemetry_20200229) FROM telemetry"),
            "3|0|2");
}

TEST(Maintenance, DropsWholeDays) {
  TestDatabase database;
  apply_migrations(database.url());
  database.query(
      "INSERT INTO telemetry VALUES ('2020-02-28 12:00Z', 'd', 't', '{}'), "
      "('2020-02-29 12:00Z', 'd', 't', '{}')");
  maintain(database.url());
  EXPECT_EQ(database.query("SELECT iothub.drop_telemetry_before('2020-03-01 00:00Z')"),
            "telemetry_20200228\ntelemetry_20200229");
  EXPECT_EQ(database.count("SELECT count(*) FROM telemetry"), 0);
}

TEST(Maintenance, ForgetsWritersThatAreLongGone) {
  TestDatabase database;
  apply_migrations(database.url());
  database.query(
      "INSERT INTO iothub.writer VALUES (gen_random_uuid(), 0, 1, 1, now() - interval "
      "'31 days'), (gen_random_uuid(), 0, 1, 1, now() - interval '29 days')");
  EXPECT_EQ(maintain(database.url()).back(),
            "forgot 1 writers that have not been seen for 30 days");
  EXPECT_EQ(database.count("SELECT count(*) FROM iothub.writer"), 1);
}

TEST(Telemetry, AnswersADeviceAndTimeRangeFromTheIndexOfItsDays) {
  TestDatabase database;
  apply_migrations(database.url());
  maintain(database.url());
  const std::string plan = database.query(
      "SET enable_seqscan = off; EXPLAIN SELECT * FROM telemetry WHERE device = 'd1' AND "
      "received_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AND "
      "received_at < (date_trunc('day', now() AT TIME ZONE 'UTC') + interval '1 day') AT TIME "
      "ZONE 'UTC'");
  EXPECT_NE(plan.find("device_received_at_idx"), std::string::npos) << plan;
}

TEST(SessionStates, AreLoadedWhole) {
  TestDatabase database;
  apply_migrations(database.url());
  database.query(
      "INSERT INTO iothub.session_state SELECT 'c' || g, decode('010000003c' || "
      "'00000001' || '0000000002000161' || '00000001' || '0201', 'hex') FROM "
      "generate_series(1, 25000) AS g");
  std::size_t count = 0;
  load_session_states(database.url(), [&](StoredSession session) {
    EXPECT_EQ(session.client_id[0], 'c');
    session.client_id.clear();
    EXPECT_EQ(session, (StoredSession{.expiry_seconds = 60,
                                      .subscriptions = {{"a", {Qos::exactly_once}, 0}},
                                      .packet_ids = {513}}));
    ++count;
  });
  EXPECT_EQ(count, 25'000u);
}

TEST(SessionStates, AreHandedOverByNameWhenTheyAreOfAnUnknownForm) {
  TestDatabase database;
  apply_migrations(database.url());
  database.query(
      "INSERT INTO iothub.session_state VALUES ('known', decode('010000003c' || "
      "'0000000000000000', 'hex')), ('newer', decode('02ff', 'hex')), ('nothing', '')");
  std::map<std::string, StoredSession> sessions;
  load_session_states(database.url(),
                      [&](StoredSession session) { sessions[session.client_id] = session; });
  ASSERT_EQ(sessions.size(), 3u);
  EXPECT_FALSE(sessions["known"].unknown_form);
  for (const char* client_id : {"newer", "nothing"}) {
    EXPECT_EQ(sessions[client_id], (StoredSession{.client_id = client_id, .unknown_form = true}));
  }
}

}  // namespace
}  // namespace hub::storage
