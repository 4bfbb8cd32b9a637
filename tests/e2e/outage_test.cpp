// The database goes away: no acknowledgement until it is back, and then all of them.
#include <gtest/gtest.h>

#include <csignal>

#include <csignal>

#include "tests/support/hub_process.h"
#include "tests/support/postgres_fixture.h"
#include "tests/support/raw_mqtt_client.h"

namespace hub::test {
namespace {

using mqtt::PacketType;

std::string telemetry(int n) { return "{\"n\": " + std::to_string(n) + "}"; }

TEST(Outage, NoAcknowledgementWhileTheDatabaseIsAwayAndAllOfThemAfterwards) {
  TestDatabase database;
  ASSERT_EQ(
      run_program({built_program("iothub"), "db", "init", "--database", database.url()}).exit_code,
      0);
  HubProcess hub{{.database = database.url()}};
  RawMqttClient device{hub.port()};
  device.connect("d1");
  device.publish("devices/d1/telemetry", telemetry(0), Qos::at_least_once, 1);
  EXPECT_EQ(device.expect_ack(PacketType::puback, 1), 0);

  PostgresServer::instance().stop();
  for (std::uint16_t id = 2; id <= 101; ++id) {
    const Qos qos = id % 2 == 0 ? Qos::at_least_once : Qos::exactly_once;
    device.publish("devices/d1/telemetry", telemetry(id), qos, id);
  }
  EXPECT_TRUE(device.quiet()) << "pings are answered, publishes are not";

  PostgresServer::instance().start();
  for (std::uint16_t id = 2; id <= 101; ++id) {
    EXPECT_EQ(device.expect_ack(id % 2 == 0 ? PacketType::puback : PacketType::pubrec, id), 0);
  }
  EXPECT_EQ(database.query("select count(*), count(distinct payload->>'n') from telemetry"),
            "101|101");
}

TEST(Outage, ANeighbourIsNotDisturbedByAThousandBadPackets) {
  HubProcess hub{{}};
  RawMqttClient neighbour{hub.port()};
  neighbour.connect("neighbour");
  std::uint32_t random = 2'463'534'242;
  for (std::uint16_t round = 1; round <= 1'000; ++round) {
    RawMqttClient bad{hub.port(),
                      round % 2 == 0 ? mqtt::ProtocolVersion::v5 : mqtt::ProtocolVersion::v311};
    if (round % 4 != 0) bad.connect("bad");
    std::string bytes{static_cast<char>(round)};
    while (bytes.size() < 24) {
      random ^= random << 13;
      random ^= random >> 17;
      random ^= random << 5;
      bytes.push_back(static_cast<char>(random));
    }
    bad.send(bytes);
    bad.vanish();
    if (round % 50 == 0) {
      neighbour.publish("devices/n/telemetry", telemetry(round), Qos::at_least_once, round);
      EXPECT_EQ(neighbour.expect_ack(PacketType::puback, round), 0);
    }
  }
  EXPECT_EQ(hub.query("select count(*) from telemetry where device = 'n'"), "20");
  EXPECT_EQ(hub.stop(), 0);
}

TEST(Outage, TheEmbeddedDatabaseIsStartedAnewWhenItDies) {
  HubProcess hub{{}};
  RawMqttClient device{hub.port()};
  device.connect("d1");
  // As the kernel does when it runs out of memory.
  const int postmaster =
      std::stoi(read_file(hub.directory().path() / "data/postgres/postmaster.pid"));
  ASSERT_EQ(::kill(postmaster, SIGKILL), 0);
  device.publish("devices/d1/telemetry", telemetry(1), Qos::at_least_once, 1);
  EXPECT_EQ(device.expect_ack(PacketType::puback, 1), 0);
  // The acknowledgement may be an orphaned backend's, which outlived its postmaster for an instant.
  EXPECT_TRUE(eventually([&] {
    return run_program({"psql", "-At", hub.database_url(), "-c", "select count(*) from telemetry"})
               .out == "1\n";
  }));
}

}  // namespace
}  // namespace hub::test
