// A PostgreSQL that is away, hangs or refuses when the hub starts, and one that hangs while the hub
// maintains it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <memory>

#include "tests/e2e/hub_with_readings.h"
#include "tests/support/database_server.h"
#include "tests/support/fault_proxy.h"

namespace hub::test {
namespace {

using mqtt::PacketType;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kWaits = "waiting for the database";
constexpr const char* kThere = "the database is there after";

int count_of(const std::string& text, std::string_view part) {
  int count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

// What stands in for systemd.
class NotifySocket {
 public:
  NotifySocket() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("no socket to be notified on");
    }
  }
  [[nodiscard]] std::string path() const { return (directory_.path() / "notify").string(); }
  // All that has come, each in a line.
  [[nodiscard]] const std::string& said() {
    std::array<char, 1024> text{};
    for (ssize_t size = 0;
         (size = ::recv(socket_.get(), text.data(), text.size(), MSG_DONTWAIT)) > 0;) {
      said_.append(text.data(), static_cast<std::size_t>(size)) += '\n';
    }
    return said_;
  }

 private:
  TemporaryDirectory directory_;
  FileDescriptor socket_;
  std::string said_;
};

// Holds locks of the database until its end.
class Locks {
 public:
  Locks(const std::string& url, const std::string& sql) : connection_(PQconnectdb(url.c_str())) {
    PGresult* const result = PQexec(connection_.get(), ("BEGIN; " + sql).c_str());
    const auto status = PQresultStatus(result);
    PQclear(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      throw std::runtime_error(PQerrorMessage(connection_.get()));
    }
  }

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  std::unique_ptr<PGconn, Finish> connection_;
};

class DatabaseAtTheStart : public testing::Test {
 protected:
  void initialise() {
    (void)make_database(server.url("postgres"), database);
    const Outcome init =
        run_program({built_program("iothub"), "db", "init", "--database", database});
    ASSERT_EQ(init.exit_code, 0) << init.err;
  }
  [[nodiscard]] static std::unique_ptr<HubProcess> launch(
      const std::string& url, std::vector<std::string> environment = {}) {
    environment.emplace_back("IOTHUB_STORAGE_ANSWER_TIMEOUT=1s");
    return std::make_unique<HubProcess>(HubProcess::Options{
        .database = url, .environment = std::move(environment), .wait_until_ready = false});
  }
  [[nodiscard]] static bool says(const HubProcess& hub, std::string_view text) {
    return eventually([&] { return count_of(hub.log(), text) > 0; });
  }
  void expect_to_serve(HubProcess& hub) const {
    RawMqttClient device{hub.port()};
    device.connect("d1");
    device.publish("devices/d1/telemetry", R"({"n": 1})", Qos::at_least_once, 1);
    EXPECT_EQ(device.expect_ack(PacketType::puback, 1), 0);
    EXPECT_EQ(psql(database, "SELECT count(*) FROM telemetry"), "1");
  }
  [[nodiscard]] Outcome serve(const std::string& url) const {
    return run_program({built_program("iothub"), "serve", "--mqtt-port=0", "--database", url,
                        "--data-dir", (directory.path() / "data").string()});
  }

  TemporaryDirectory directory;
  DatabaseServer server{{.fsync = false}};
  std::string database = server.url("hub");
};

TEST_F(DatabaseAtTheStart, IsWaitedForAndThenServedWithoutARestart) {
  initialise();
  server.stop();
  NotifySocket manager;
  const auto hub = launch(database, {"NOTIFY_SOCKET=" + manager.path()});
  EXPECT_TRUE(says(*hub, "waiting for the database " + database +
                             ": it cannot be reached; see that PostgreSQL runs"))
      << hub->log();
  EXPECT_TRUE(eventually([&] { return count_of(manager.said(), "EXTEND_TIMEOUT_USEC=") > 2; }));
  EXPECT_THAT(manager.said(), AllOf(HasSubstr("STATUS=waiting for the database: it cannot be"),
                                    Not(HasSubstr("READY=1"))));
  server.start();
  hub->wait_until_ready();
  EXPECT_EQ(count_of(hub->log(), "it cannot be reached"), 1) << hub->log();
  EXPECT_EQ(count_of(hub->log(), kThere), 1) << hub->log();
  EXPECT_TRUE(eventually([&] { return manager.said().ends_with("READY=1\nSTATUS=\n"); }));
  expect_to_serve(*hub);
  EXPECT_EQ(hub->stop(), 0);
}

TEST_F(DatabaseAtTheStart, IsNoLongerWaitedForOnceTheHubIsToStop) {
  server.stop();
  for (const int signal : {SIGTERM, SIGINT}) {
    const auto hub = launch(database);
    EXPECT_TRUE(says(*hub, kWaits)) << hub->log();
    EXPECT_EQ(hub->stop(signal), 0);
  }
}

TEST_F(DatabaseAtTheStart, IsNoLongerWaitedForAlsoWhenItHangs) {
  FaultProxy proxy{server.socket_path()};
  proxy.black_hole();
  const auto hub = launch(proxy.url("hub") + "&connect_timeout=2");
  EXPECT_TRUE(says(*hub, "it accepts connections and does not answer")) << hub->log();
  EXPECT_EQ(hub->stop(), 0);
}

TEST_F(DatabaseAtTheStart, HangsAndRecovers) {
  initialise();
  FaultProxy proxy{server.socket_path()};
  proxy.black_hole();
  const auto hub = launch(proxy.url("hub") + "&connect_timeout=2");
  EXPECT_TRUE(says(*hub, "it accepts connections and does not answer")) << hub->log();
  proxy.heal();
  hub->wait_until_ready();
  EXPECT_EQ(count_of(hub->log(), kWaits), 1) << hub->log();
  expect_to_serve(*hub);
  EXPECT_EQ(hub->stop(), 0);
}

TEST_F(DatabaseAtTheStart, StopsAnsweringAmidTheStart) {
  initialise();
  auto locks = std::make_unique<Locks>(database, "LOCK TABLE iothub.session_state");
  const auto hub = launch(database);
  EXPECT_TRUE(says(*hub, "the database did not answer for 1 s")) << hub->log();
  locks.reset();
  hub->wait_until_ready();
  expect_to_serve(*hub);
  EXPECT_EQ(hub->stop(), 0);
}

// Slower than what the hub waits for an answer allows a start that never waits longer.
TEST_F(DatabaseAtTheStart, IsFarAwayAndServed) {
  initialise();
  FaultProxy proxy{server.socket_path()};
  proxy.delay(std::chrono::milliseconds{250});
  const auto hub = launch(proxy.url("hub") + "&connect_timeout=2");
  EXPECT_TRUE(says(*hub, "the database did not answer for 1 s")) << hub->log();
  hub->wait_until_ready();
  expect_to_serve(*hub);
  EXPECT_EQ(hub->stop(), 0);
}

TEST_F(DatabaseAtTheStart, IsWaitedForByASpoolThatHasSomething) {
  (void)make_database(server.url("postgres"), database);
  HubWithReadings hub{
      database, database, "", 2, {"IOTHUB_STORAGE_OUTAGE=spool", "IOTHUB_STORAGE_SPOOL_AFTER=1s"}};
  server.stop();
  hub.publish(20);
  hub.expect_all_acknowledged();
  hub.hub().kill();
  hub.hub().launch();
  EXPECT_TRUE(hub.says(kWaits)) << hub.hub().log();
  EXPECT_EQ(hub.hub().stop(), 0);
  hub.hub().launch();
  EXPECT_TRUE(hub.says(kWaits)) << hub.hub().log();
  server.start();
  hub.hub().wait_until_ready();
  EXPECT_EQ(hub.rows(), hub.all_published());
  EXPECT_EQ(hub.hub().stop(), 0);
}

TEST_F(DatabaseAtTheStart, ThatIsNotInitialisedIsAnError) {
  (void)make_database(server.url("postgres"), database);
  const Outcome outcome = serve(database);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("not initialised"), HasSubstr("iothub db init"),
                                 Not(HasSubstr(kWaits))));
}

TEST_F(DatabaseAtTheStart, ThatIsNotThereIsAnError) {
  const Outcome outcome = serve(database);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("it refuses the hub's login"),
                    HasSubstr("database \"hub\" does not exist"), Not(HasSubstr(kWaits))));
}

TEST_F(DatabaseAtTheStart, ThatRefusesThePasswordIsAnError) {
  std::filesystem::permissions(directory.path(), std::filesystem::perms(0755));
  const auto hba = directory.write("hba", "local all hub trust\nlocal all all scram-sha-256\n");
  const DatabaseServer guarded{{.fsync = false, .settings = {"hba_file=" + hba.string()}}};
  (void)psql(guarded.url("postgres"), "CREATE ROLE guest LOGIN PASSWORD 'right'");
  const Outcome outcome =
      serve("postgresql://guest:wrong@/postgres?host=" + guarded.socket_directory());
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("check user, password and database of the URL"),
                                 HasSubstr("password authentication failed for user \"guest\""),
                                 Not(HasSubstr(kWaits)), Not(HasSubstr("wrong@"))));
}

TEST_F(DatabaseAtTheStart, IsNotWaitedForByTheCommands) {
  FaultProxy proxy{server.socket_path()};
  proxy.black_hole();
  const std::string url = proxy.url("hub") + "&connect_timeout=2";
  const std::string data = (directory.path() / "data").string();
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"check"}, {"db", "init"}, {"db", "status"}}) {
    std::vector<std::string> arguments{built_program("iothub")};
    arguments.insert(arguments.end(), command.begin(), command.end());
    arguments.insert(arguments.end(), {"--database", url, "--data-dir", data});
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.out + outcome.err, HasSubstr("timeout expired"));
  }
}

// Another session holds what the maintenance needs.
TEST_F(DatabaseAtTheStart, HangsInTheMaintenanceAndTheHubServesAndAnswers) {
  initialise();
  const Locks locks{database, "SELECT pg_advisory_xact_lock(hashtext('iothub.maintain'))"};
  const auto hub = launch(database);
  hub->wait_until_ready();
  expect_to_serve(*hub);
  for (const char* command : {"metrics", "ledger"}) {
    const Outcome outcome = run_program({built_program("iothub"), command, "--database", database,
                                         "--data-dir", hub->data_directory()});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  }
  EXPECT_EQ(hub->stop(), 0);
}

}  // namespace
}  // namespace hub::test
