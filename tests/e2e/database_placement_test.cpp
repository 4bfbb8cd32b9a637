// PostgreSQL where operations put it: on a disk that fills up, with a standby that takes over,
// behind a pooler.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "tests/e2e/hub_with_readings.h"
#include "tests/support/database_server.h"
#include "tests/support/pgbouncer.h"

namespace hub::test {
namespace {

// A disk of a few MiB, in memory. Needs root.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& mount_options) {
    if (::mount("tmpfs", directory_.path().c_str(), "tmpfs", 0, mount_options.c_str()) != 0) {
      throw std::system_error(errno, std::generic_category(), "mounting a small disk as root");
    }
    if (const auto user = server_user(); user) {
      (void)!::chown(directory_.path().c_str(), user->uid, user->gid);
    }
  }
  ~SmallDisk() { ::umount2(directory_.path().c_str(), MNT_DETACH); }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  [[nodiscard]] std::string path() const { return directory_.path(); }
  // Takes all the room there is.
  void fill() {
    std::ofstream ballast{ballast_path(), std::ios::binary};
    const std::string page(4'096, '\0');
    while (ballast.write(page.data(), static_cast<std::streamsize>(page.size())).flush()) {
    }
  }
  void free() { std::filesystem::remove(ballast_path()); }

 private:
  [[nodiscard]] std::filesystem::path ballast_path() const { return directory_.path() / "ballast"; }
  TemporaryDirectory directory_;
};

TEST(DatabaseOnAFullDisk, TakesAllOnceThereIsRoom) {
  const DatabaseServer server{{.fsync = false}};
  SmallDisk disk{"size=8m"};
  const std::string url = make_database(server.url("postgres"), server.url("hub"));
  (void)psql(url, "CREATE TABLESPACE small LOCATION '" + disk.path() + "'");
  HubWithReadings hub{url, url, " TABLESPACE small"};
  // Each text takes pages of its own, so that none finds room in a page that is there already.
  (void)hub.query("ALTER TABLE readings ALTER COLUMN text SET STORAGE EXTERNAL");
  hub.publish(2);
  hub.expect_all_acknowledged();
  disk.fill();
  hub.publish(100, 9'000);
  EXPECT_TRUE(hub.says("its disk is full; free or add space")) << hub.hub().log();
  EXPECT_TRUE(hub.connected_and_unanswered());
  hub.reconnect_and_resend();
  EXPECT_TRUE(hub.connected_and_unanswered());
  disk.free();
  hub.expect_all_acknowledged();
  EXPECT_EQ(hub.rows(), hub.all_published());
  EXPECT_EQ(hub.logged("its disk is full"), 1) << hub.hub().log();
  EXPECT_EQ(hub.logged("the database is back"), 1) << hub.hub().log();
  EXPECT_EQ(hub.query("SELECT count(*) FROM iothub.dead_letter"), "0");
  EXPECT_EQ(hub.hub().stop(), 0);
}

// A primary whose commits wait for its standby, and a URL that names both.
class DatabaseWithStandby : public testing::Test {
 protected:
  DatabaseWithStandby() {
    (void)make_database(primary.url("postgres"), primary.url("hub"));
    standby.emplace(DatabaseServer::Options{.fsync = false, .standby_of = &primary});
    (void)psql(primary.url("postgres"), "ALTER SYSTEM SET synchronous_standby_names = '*'");
    (void)psql(primary.url("postgres"), "SELECT pg_reload_conf()");
  }
  [[nodiscard]] std::string both() const {
    return "postgresql:///hub?host=" + primary.socket_directory() + "," +
           standby->socket_directory() +
           "&user=hub&target_session_attrs=read-write&connect_timeout=2";
  }

  DatabaseServer primary{{.fsync = false}};
  std::optional<DatabaseServer> standby;
};

TEST_F(DatabaseWithStandby, GoesOnThereWhenThePrimaryIsKilled) {
  HubWithReadings hub{both(), primary.url("hub")};
  hub.publish(20);
  hub.expect_all_acknowledged();
  primary.kill();
  hub.publish(20);
  EXPECT_TRUE(hub.says("it is read-only; point the hub at the primary")) << hub.hub().log();
  EXPECT_TRUE(hub.connected_and_unanswered());
  hub.reconnect_and_resend();
  standby->promote();
  hub.find_database_at(standby->url("hub"));
  hub.expect_all_acknowledged();
  EXPECT_EQ(hub.rows(), hub.all_published());
  EXPECT_EQ(hub.logged("it is read-only"), 1) << hub.hub().log();
  EXPECT_EQ(hub.hub().stop(), 0);
}

// The old primary accepts connections and answers nothing: the hub goes past it.
TEST_F(DatabaseWithStandby, GoesOnThereWhenThePrimaryHangs) {
  HubWithReadings hub{both(), primary.url("hub")};
  hub.publish(20);
  hub.expect_all_acknowledged();
  primary.pause();
  hub.publish(20);
  EXPECT_TRUE(hub.says("the database is away")) << hub.hub().log();
  EXPECT_TRUE(hub.connected_and_unanswered());
  standby->promote();
  hub.find_database_at(standby->url("hub"));
  hub.expect_all_acknowledged();
  EXPECT_EQ(hub.rows(), hub.all_published());
  EXPECT_EQ(hub.hub().stop(), 0);
}

// The hub logs in to the standby, which refuses what it writes.
TEST_F(DatabaseWithStandby, GoesOnThereWithoutTargetSessionAttrsToo) {
  HubWithReadings hub{"postgresql:///hub?host=" + primary.socket_directory() + "," +
                          standby->socket_directory() + "&user=hub",
                      primary.url("hub")};
  hub.publish(2);
  hub.expect_all_acknowledged();
  primary.stop();
  hub.publish(20);
  EXPECT_TRUE(hub.says("(SQLSTATE 25006)")) << hub.hub().log();
  EXPECT_TRUE(hub.connected_and_unanswered());
  standby->promote();
  hub.find_database_at(standby->url("hub"));
  hub.expect_all_acknowledged();
  EXPECT_EQ(hub.rows(), hub.all_published());
}

class DatabaseBehindAPooler : public testing::Test {
 protected:
  DatabaseServer server{{.fsync = false}};
  std::string direct = make_database(server.url("postgres"), server.url("hub"));
  PgBouncer pooler{server.socket_directory()};
  HubWithReadings hub{pooler.url("hub"), direct, "", 4};
};

TEST_F(DatabaseBehindAPooler, TakesRowsStatesAndDeadLetters) {
  for (int round = 0; round < 10; ++round) {
    hub.publish(50);
    hub.expect_all_acknowledged();
  }
  EXPECT_EQ(hub.rows(), hub.all_published());
  (void)hub.query("ALTER TABLE readings ADD CHECK (n <> 507)");  // a batch that is taken apart
  hub.publish(20);
  hub.expect_all_acknowledged();
  EXPECT_EQ(hub.query("SELECT count(*), string_agg(sqlstate, ',') FROM iothub.dead_letter"),
            "1|23514");
  EXPECT_EQ(hub.query("SELECT count(*), count(DISTINCT n) FROM readings"), "519|519");
  EXPECT_EQ(hub.logged("the database is away"), 0) << hub.hub().log();
  EXPECT_EQ(hub.hub().stop(), 0);
}

TEST_F(DatabaseBehindAPooler, LeavesNothingInTheSessionsOfTheServer) {
  const Outcome script = run_program({built_program("iothub"), "db", "script"});
  const auto file = hub.hub().directory().write("init.sql", script.out);
  const Outcome again = run_program(
      {"psql", "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-f", file.string(), pooler.url("hub")});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  hub.publish(50);
  hub.expect_all_acknowledged();
  EXPECT_EQ(hub.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "0");
  // Whoever gets those sessions next finds them as they were.
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(psql(pooler.url("hub"),
                   "SELECT current_setting('client_min_messages'), "
                   "current_setting('lock_timeout'), "
                   "(SELECT count(*) FROM pg_prepared_statements)"),
              "notice|0|0");
  }
}

TEST_F(DatabaseBehindAPooler, GoesOnWhenPoolerOrServerWereAway) {
  hub.publish(20);
  hub.expect_all_acknowledged();
  pooler.stop();
  hub.publish(20);
  EXPECT_TRUE(hub.says("it cannot be reached")) << hub.hub().log();
  EXPECT_TRUE(hub.connected_and_unanswered());
  pooler.start();
  hub.expect_all_acknowledged();
  server.kill();
  hub.publish(20);
  EXPECT_TRUE(hub.connected_and_unanswered());
  hub.reconnect_and_resend();
  server.start();
  hub.expect_all_acknowledged();
  EXPECT_EQ(hub.rows(), hub.all_published());
  EXPECT_EQ(hub.hub().stop(), 0);
}

// The pooler waits for the server and is silent meanwhile.
TEST_F(DatabaseBehindAPooler, GoesOnWhenTheServerHung) {
  hub.publish(20);
  hub.expect_all_acknowledged();
  server.pause();
  hub.publish(20);
  EXPECT_TRUE(hub.says("it accepts connections and does not answer")) << hub.hub().log();
  EXPECT_TRUE(hub.connected_and_unanswered());
  hub.reconnect_and_resend();
  server.resume();
  hub.expect_all_acknowledged();
  EXPECT_EQ(hub.rows(), hub.all_published());
  EXPECT_EQ(hub.hub().stop(), 0);
}

}  // namespace
}  // namespace hub::test
