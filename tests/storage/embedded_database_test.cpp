#include "storage/embedded_database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/log.h"
#include "tests/support/program.h"
#include "tests/support/temporary_directory.h"

namespace hub::storage {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class EmbeddedDatabaseTest : public ::testing::Test {
 protected:
  [[nodiscard]] fs::path data() const { return directory_.path() / "data"; }

  // mkdtemp makes a directory for this user alone; as root, PostgreSQL's user cannot get there.
  void open_to_everyone() const { fs::permissions(directory_.path(), fs::perms(0755)); }

  [[nodiscard]] std::string url() const { return embedded_database_url(data()).value(); }
  [[nodiscard]] std::string query(std::string_view sql) const { return test::psql(url(), sql); }

  // Why the database of data() cannot be used.
  [[nodiscard]] std::string refusal() const {
    try {
      const DataDirectory directory(data());
      EmbeddedDatabase(directory).start();
    } catch (const EmbeddedDatabaseError& error) {
      return error.what();
    }
    return "none";
  }

  [[nodiscard]] test::RunningProgram run_hub() const {
    return test::RunningProgram({HUB_TEST_RUNNER, data().string()});
  }

  test::TemporaryDirectory directory_;
};

pid_t server_of(test::RunningProgram& hub) {
  return std::stoi(hub.wait_for_line("ready ").substr(6));
}

TEST_F(EmbeddedDatabaseTest, TheFirstStartGivesADatabaseThatKeepsItsPromises) {
  open_to_everyone();
  const DataDirectory directory(data());
  EmbeddedDatabase database(directory);
  database.start();
  EXPECT_EQ(database.url(), url());
  EXPECT_THAT(url(), HasSubstr((data() / "socket").string()));
  EXPECT_EQ(query("select current_database(), current_user"), "iothub|iothub");
  EXPECT_EQ(query("select string_agg(name || '=' || setting, ' ' order by name) from pg_settings "
                  "where name in ('fsync', 'full_page_writes', 'synchronous_commit', "
                  "'data_checksums', 'listen_addresses', 'server_encoding', 'jit', 'lc_collate')"),
            "data_checksums=on fsync=on full_page_writes=on jit=off lc_collate=C.UTF-8 "
            "listen_addresses= server_encoding=UTF8 synchronous_commit=on");
}

TEST_F(EmbeddedDatabaseTest, IsNotRunAsRootAndIsClosedToOthers) {
  open_to_everyone();
  const DataDirectory directory(data());
  EmbeddedDatabase database(directory);
  database.start();
  struct stat process{}, socket{}, cluster{};
  ASSERT_EQ(::stat(("/proc/" + std::to_string(database.pid())).c_str(), &process), 0);
  ASSERT_EQ(::stat((data() / "socket").c_str(), &socket), 0);
  ASSERT_EQ(::stat((data() / "postgres").c_str(), &cluster), 0);
  EXPECT_NE(process.st_uid, 0u);
  EXPECT_EQ(socket.st_mode & 0777, 0700u);
  EXPECT_EQ(cluster.st_mode & 0777, 0700u);
  EXPECT_EQ(cluster.st_uid, process.st_uid);
}

TEST_F(EmbeddedDatabaseTest, WorksWhereOnlyItsStarterMayGo) {
  const DataDirectory directory(data());
  EmbeddedDatabase database(directory);
  database.start();
  EXPECT_EQ(query("select 1"), "1");
  database.stop();
  EXPECT_FALSE(is_running(database.pid()));
}

TEST_F(EmbeddedDatabaseTest, PutsItsSocketElsewhereWhenThePathIsLong) {
  open_to_everyone();
  const auto far = directory_.path() / std::string(100, 'x') / "data";
  const DataDirectory directory(far);
  EmbeddedDatabase database(directory);
  database.start();
  EXPECT_THAT(database.url(), Not(HasSubstr("xxx")));
  EXPECT_EQ(test::psql(database.url(), "select 1"), "1");
  const auto place = database.url().substr(database.url().find("host=") + 5);
  const auto socket = fs::path(place.substr(0, place.find('&')));
  EXPECT_TRUE(fs::exists(socket));
  database.stop();
  EXPECT_FALSE(fs::exists(socket));
}

TEST_F(EmbeddedDatabaseTest, KeepsItsDataFromOneStartToTheNext) {
  const DataDirectory directory(data());
  {
    EmbeddedDatabase database(directory);
    database.start();
    EXPECT_EQ(query("create table t (a int); insert into t values (1), (2)"), "");
  }
  EmbeddedDatabase database(directory);
  database.start();
  EXPECT_EQ(query("select count(*) from t"), "2");
}

TEST_F(EmbeddedDatabaseTest, StartsAServerThatDiedAnew) {
  log::set_level(log::Level::off);
  const DataDirectory directory(data());
  EmbeddedDatabase database(directory);
  database.start();
  EXPECT_EQ(query("create table t (a int); insert into t values (1)"), "");
  const auto first = database.pid();
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  EXPECT_TRUE(test::eventually([&] {
    if (database.pid() == first) return false;
    try {
      return query("select count(*) from t") == "1";
    } catch (const std::runtime_error&) {
      return false;
    }
  }));
  log::set_level(log::Level::info);
}

TEST_F(EmbeddedDatabaseTest, EndsWithAKilledHubAndIsRecoveredByTheNext) {
  auto hub = run_hub();
  const auto server = server_of(hub);
  EXPECT_EQ(query("create table t (a int); insert into t values (1)"), "");
  hub.end(SIGKILL);
  // The next hub needs no person's help, whether the old server has left yet or not.
  auto next = run_hub();
  const auto next_server = server_of(next);
  EXPECT_NE(next_server, server);
  EXPECT_FALSE(is_running(server));
  EXPECT_EQ(query("select count(*) from t"), "1");
  EXPECT_TRUE(next.end(SIGTERM).success()) << next.err();
  EXPECT_FALSE(is_running(next_server));
}

TEST_F(EmbeddedDatabaseTest, RecoversWhenHubAndServerAreKilledTogether) {
  auto hub = run_hub();
  const auto server = server_of(hub);
  EXPECT_EQ(query("create table t (a int); insert into t values (1)"), "");
  ASSERT_EQ(::kill(server, SIGKILL), 0);
  hub.end(SIGKILL);
  auto next = run_hub();
  EXPECT_NE(server_of(next), server);
  EXPECT_EQ(query("select count(*) from t"), "1");
  EXPECT_TRUE(next.end(SIGTERM).success()) << next.err();
}

TEST_F(EmbeddedDatabaseTest, AStalePidFileThatNamesAnotherProcessIsNoObstacle) {
  const DataDirectory directory(data());
  {
    EmbeddedDatabase(directory).start();
  }
  std::ofstream(data() / "postgres" / "postmaster.pid") << ::getpid() << "\n/elsewhere\n";
  EmbeddedDatabase database(directory);
  database.start();
  EXPECT_EQ(query("select 1"), "1");
}

TEST_F(EmbeddedDatabaseTest, ACreationThatWasCutShortIsBegunAgain) {
  directory_.write("data/postgres.new/PG_VERSION", "15\n");
  directory_.write("data/postgres.new/base/1/junk", "junk");
  const DataDirectory directory(data());
  EmbeddedDatabase database(directory);
  database.start();
  EXPECT_EQ(query("select 1"), "1");
  EXPECT_FALSE(fs::exists(data() / "postgres.new"));
}

TEST_F(EmbeddedDatabaseTest, ALinkInItsDirectoryIsNotWrittenThrough) {
  // The cluster's user could plant one, for a hub that root runs.
  const DataDirectory directory(data());
  {
    EmbeddedDatabase(directory).start();
  }
  const auto victim = directory_.write("victim", "untouched");
  fs::create_symlink(victim, data() / "postgres" / "pg_hba.conf.new");
  fs::create_symlink(victim, data() / "database-url.new");
  EmbeddedDatabase database(directory);
  database.start();
  EXPECT_EQ(query("select 1"), "1");
  EXPECT_EQ(test::read_file(victim), "untouched");
}

TEST_F(EmbeddedDatabaseTest, NobodyCanSwitchOffWhatThePromiseRestsOn) {
  const DataDirectory directory(data());
  {
    EmbeddedDatabase database(directory);
    database.start();
    for (const auto* set : {"fsync = off", "full_page_writes = off", "listen_addresses = '*'"}) {
      EXPECT_EQ(query("alter system set " + std::string(set)), "");
    }
  }
  EmbeddedDatabase database(directory);
  database.start();
  EXPECT_EQ(query("select current_setting('fsync'), current_setting('full_page_writes'), "
                  "current_setting('listen_addresses')"),
            "on|on|");
}

TEST_F(EmbeddedDatabaseTest, ShowsTheServersOwnWordsWhenItDoesNotStart) {
  {
    const DataDirectory directory(data());
    EmbeddedDatabase database(directory);
    database.start();
  }
  std::ofstream(data() / "postgres" / "postgresql.auto.conf") << "work_mem = 'plenty'\n";
  EXPECT_THAT(refusal(), AllOf(HasSubstr("exited with status 1"), HasSubstr("work_mem"),
                               HasSubstr("postgres.log")));
}

TEST_F(EmbeddedDatabaseTest, RefusesAClusterOfAVersionThatIsNotInstalled) {
  directory_.write("data/postgres/PG_VERSION", "9\n");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("made by PostgreSQL 9"), HasSubstr("postgresql-9")));
}

TEST_F(EmbeddedDatabaseTest, RefusesADirectoryThatIsNoCluster) {
  directory_.write("data/postgres/letters.txt", "not a cluster");
  EXPECT_THAT(refusal(), HasSubstr("is not a PostgreSQL cluster"));
}

TEST_F(EmbeddedDatabaseTest, ItsLogIsBounded) {
  const DataDirectory directory(data());
  directory_.write("data/postgres.log", std::string(9 << 20, '\n'));
  EmbeddedCluster cluster(directory);
  cluster.bound_log();
  EXPECT_EQ(fs::file_size(data() / "postgres.log"), 0u);
  EXPECT_EQ(fs::file_size(data() / "postgres.log.1"), 9u << 20);
}

TEST_F(EmbeddedDatabaseTest, StopBeforeStartAndTwiceIsHarmless) {
  const DataDirectory directory(data());
  EmbeddedDatabase database(directory);
  database.stop();
  database.stop();
  EXPECT_EQ(database.pid(), 0);
}

TEST(DataDirectory, IsOneHubsAtATime) {
  const test::TemporaryDirectory directory;
  const auto path = directory.path() / "a" / "data";
  {
    const DataDirectory first(path);
    EXPECT_EQ(first.path(), fs::canonical(path));
    try {
      const DataDirectory second(path);
      FAIL();
    } catch (const DataDirectoryInUse& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr(path.string()),
                                      HasSubstr("process " + std::to_string(::getpid())),
                                      HasSubstr("--data-dir")));
    }
  }
  EXPECT_NO_THROW(DataDirectory{path});
}

TEST(DataDirectory, SaysWhyItCannotBeMade) {
  const test::TemporaryDirectory directory;
  directory.write("file", "");
  try {
    const DataDirectory data(directory.path() / "file" / "data");
    FAIL();
  } catch (const DataDirectoryError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("file/data"), HasSubstr("Not a directory")));
  }
}

TEST(EmbeddedDatabaseUrl, IsUnknownBeforeTheFirstStart) {
  const test::TemporaryDirectory directory;
  EXPECT_EQ(embedded_database_url(directory.path()), std::nullopt);
}

}  // namespace
}  // namespace hub::storage
