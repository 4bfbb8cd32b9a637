// outage = "spool": a device is acknowledged while the database is away, and whatever is killed
// then, each of its messages is in the table once.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/e2e/hub_on_database.h"

namespace hub::test {
namespace {

using mqtt::PacketType;

constexpr auto kSpoolTables =
    "CREATE TABLE plain (n bigint, at bigserial); "
    "CREATE TABLE keyed (n bigint PRIMARY KEY)";
constexpr auto kSpoolRules = R"(
[[rule]]
name = "all"
sql  = 'SELECT payload.n AS n FROM "devices/+/telemetry"'

[[rule.action]]
type  = "dump"
table = "plain"

[[rule.action]]
type  = "dump"
table = "keyed"
key   = ["n"]
)";

const std::vector<std::string> kSpools = {"--storage-outage", "spool", "--storage-spool-after",
                                          "1s"};

std::string payload(int n) { return fmt::format(R"({{"n": {}}})", n); }

// Publishes messages first…last-1, each with its number as packet id, and has each acknowledged.
void publish(RawMqttClient& device, int first, int last, Qos qos) {
  for (int n = first; n < last; ++n) {
    const auto id = static_cast<std::uint16_t>(n);
    device.publish("devices/d1/telemetry", payload(n), qos, id);
    if (qos == Qos::at_least_once) {
      EXPECT_EQ(device.expect_ack(PacketType::puback, id), 0);
    } else {
      EXPECT_EQ(device.expect_ack(PacketType::pubrec, id), 0);
    }
  }
}

constexpr auto kCounts =
    "SELECT (SELECT count(*) FROM plain), (SELECT count(DISTINCT n) FROM plain), "
    "(SELECT count(*) FROM keyed), (SELECT count(*) FROM iothub.dead_letter)";

TEST(Spool, AcknowledgesWhileTheDatabaseIsAwayAndStoresAllOfItOnceItIsBack) {
  HubOnDatabase hub{kSpoolTables, kSpoolRules, kSpools};
  RawMqttClient device{hub.process().port()};
  device.connect("d1");
  publish(device, 1, 3, Qos::at_least_once);
  PostgresServer::instance().stop();
  publish(device, 3, 100, Qos::at_least_once);
  EXPECT_NE(hub.process().log().find("acknowledged from the spool"), std::string::npos);
  PostgresServer::instance().start();
  EXPECT_TRUE(eventually([&] { return hub.query(kCounts) == "99|99|99|0"; })) << hub.query(kCounts);
  EXPECT_EQ(hub.query("SELECT count(*) FROM (SELECT n, lag(n) OVER (ORDER BY at) AS before FROM "
                      "plain) AS x WHERE n < before"),
            "0");
  EXPECT_TRUE(eventually([&] { return hub.run({"ledger"}).exit_code == 0; }));
}

TEST(Spool, IsDrainedByTheNextStartWhenTheHubIsKilledInTheOutage) {
  HubOnDatabase hub{kSpoolTables, kSpoolRules, kSpools};
  {
    RawMqttClient device{hub.process().port()};
    device.connect("d1");
    publish(device, 1, 3, Qos::at_least_once);
    PostgresServer::instance().stop();
    publish(device, 3, 60, Qos::at_least_once);
    hub.process().kill();
  }
  PostgresServer::instance().start();
  hub.process().start();
  // Before the hub is ready.
  EXPECT_EQ(hub.query(kCounts), "59|59|59|0");
  EXPECT_NE(hub.process().log().find("the spool is empty"), std::string::npos);
  EXPECT_EQ(hub.query("SELECT received, committed FROM (SELECT sum(received) AS received, "
                      "sum(committed) AS committed FROM iothub.ledger) AS l"),
            "59|59");
}

TEST(Spool, APacketIdThatWasSpooledIsKnownToTheNextRun) {
  HubOnDatabase hub{kSpoolTables, kSpoolRules, kSpools};
  {
    RawMqttClient device{hub.process().port()};
    device.connect("d1", false, 1'000);
    PostgresServer::instance().stop();
    publish(device, 1, 20, Qos::exactly_once);
    hub.process().kill();
  }
  PostgresServer::instance().start();
  hub.process().start();
  RawMqttClient device{hub.process().port()};
  device.connect("d1", false, 1'000);
  for (int n = 1; n < 20; ++n) {
    device.publish("devices/d1/telemetry", payload(n), Qos::exactly_once,
                   static_cast<std::uint16_t>(n), true);
    EXPECT_EQ(device.expect_ack(PacketType::pubrec, static_cast<std::uint16_t>(n)), 0);
  }
  EXPECT_EQ(hub.query(kCounts), "19|19|19|0");
}

TEST(Spool, ARunThatHoldsDrainsWhatARunThatSpooledHasLeft) {
  HubOnDatabase hub{kSpoolTables, kSpoolRules, kSpools};
  {
    RawMqttClient device{hub.process().port()};
    device.connect("d1");
    PostgresServer::instance().stop();
    publish(device, 1, 10, Qos::at_least_once);
    hub.process().kill();
  }
  PostgresServer::instance().start();
  const Outcome beside = hub.run({"check"});
  EXPECT_EQ(beside.exit_code, 0) << beside.out << beside.err;
  hub.process().change(1, {"--storage-outage", "hold"});
  hub.process().start();
  EXPECT_EQ(hub.query(kCounts), "9|9|9|0");
  EXPECT_FALSE(std::filesystem::exists(hub.process().directory().path() / "data/spool"));
}

TEST(Spool, ThatWasDamagedIsKeptByARunThatHolds) {
  HubOnDatabase hub{kSpoolTables, kSpoolRules, kSpools};
  {
    RawMqttClient device{hub.process().port()};
    device.connect("d1");
    PostgresServer::instance().stop();
    publish(device, 1, 10, Qos::at_least_once);
    hub.process().kill();
  }
  PostgresServer::instance().start();
  const auto spool = hub.process().directory().path() / "data/spool";
  for (const auto& file : std::filesystem::directory_iterator(spool)) {
    if (file.path().extension() != ".log") continue;
    std::filesystem::resize_file(file.path(), file.file_size() - 1);
  }
  hub.process().change(1, {"--storage-outage", "hold"});
  hub.process().start();
  EXPECT_NE(hub.process().log().find("data/spool is kept, as it was damaged"), std::string::npos)
      << hub.process().log();
  EXPECT_TRUE(std::filesystem::exists(spool));
  EXPECT_EQ(hub.process().stop(), 0);
  hub.process().start();
  EXPECT_FALSE(std::filesystem::exists(spool));
}

}  // namespace
}  // namespace hub::test
