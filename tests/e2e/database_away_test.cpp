// A PostgreSQL that is away or sick in every way: the devices stay connected, their
// acknowledgements wait, and once it is well everything drains in order, with nothing to restart.
#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <memory>
#include <thread>
#include <vector>

#include "tests/e2e/hub_with_readings.h"
#include "tests/support/database_server.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/mqtt_client_codec.h"

namespace hub::test {
namespace {

constexpr const char* kAway = "the database is away";
constexpr const char* kBack = "the database is back";

class DatabaseAway : public testing::Test {
 protected:
  explicit DatabaseAway(std::vector<std::string> settings = {})
      : server({.fsync = false, .settings = std::move(settings)}),
        database(make_database(server.url("postgres"), server.url("hub"))) {}

  // As URLs for operation should be: a host that does not answer is given up soon.
  [[nodiscard]] static std::string impatient(const std::string& url) {
    return url + "&connect_timeout=2";
  }

  // What every fault has in common. `begin` makes it, `end` mends it; `what` is what the log is to
  // say of it, once.
  template <class Begin, class End>
  void expect_to_last_through(HubWithReadings& hub, const std::string& what, Begin begin, End end) {
    hub.publish(2);
    hub.expect_all_acknowledged();
    begin();
    hub.publish(20);
    EXPECT_TRUE(hub.says(what)) << hub.hub().log();
    EXPECT_TRUE(hub.connected_and_unanswered());
    hub.reconnect_and_resend();  // as a device does that lost its patience
    hub.publish(20);
    EXPECT_TRUE(hub.connected_and_unanswered());
    end();
    hub.expect_all_acknowledged();
    EXPECT_EQ(hub.rows(), hub.all_published());
    EXPECT_TRUE(hub.says(kBack)) << hub.hub().log();
    EXPECT_EQ(hub.logged(what), 1) << hub.hub().log();
    EXPECT_LE(hub.logged(kAway), 3) << hub.hub().log();
    EXPECT_EQ(hub.logged(kBack), 1) << hub.hub().log();
    hub.publish(2);
    hub.expect_all_acknowledged();
    EXPECT_EQ(hub.hub().stop(), 0);
  }

  DatabaseServer server;
  std::string database;
};

TEST_F(DatabaseAway, ShutDownAndStarted) {
  HubWithReadings hub{database, database};
  expect_to_last_through(
      hub, "it cannot be reached; see that PostgreSQL runs", [&] { server.stop(); },
      [&] { server.start(); });
}

TEST_F(DatabaseAway, KilledAndStarted) {
  HubWithReadings hub{database, database};
  expect_to_last_through(
      hub, "it cannot be reached; see that PostgreSQL runs", [&] { server.kill(); },
      [&] { server.start(); });
}

TEST_F(DatabaseAway, StoppedProcesses) {
  HubWithReadings hub{impatient(database), database};
  expect_to_last_through(
      hub, "it accepts connections and does not answer", [&] { server.pause(); },
      [&] { server.resume(); });
}

// A proxy between the hub and the server.
class LinkToDatabase : public DatabaseAway {
 protected:
  FaultProxy proxy{server.socket_path()};
  HubWithReadings hub{impatient(proxy.url("hub")), database};
};

TEST_F(LinkToDatabase, RefusesConnections) {
  expect_to_last_through(
      hub, "it cannot be reached; see that PostgreSQL runs",
      [&] {
        proxy.refuse();
        proxy.cut();
      },
      [&] { proxy.heal(); });
}

TEST_F(LinkToDatabase, IsABlackHole) {
  expect_to_last_through(
      hub, "it accepts connections and does not answer", [&] { proxy.black_hole(); },
      [&] { proxy.heal(); });
}

TEST_F(LinkToDatabase, IsSlow) {
  proxy.delay(std::chrono::milliseconds(150));
  for (int i = 0; i < 5; ++i) {
    hub.publish(20);
    EXPECT_TRUE(hub.connected_and_unanswered()) << "pings do not wait for the database";
    hub.expect_all_acknowledged();
  }
  proxy.heal();
  EXPECT_EQ(hub.rows(), hub.all_published());
  EXPECT_EQ(hub.logged(kAway), 0) << hub.hub().log();
}

// An answer takes longer than the hub's patience, which grows: it comes through in the end.
TEST_F(LinkToDatabase, IsSlowerThanTheAnswerTimeout) {
  hub.publish(2);
  hub.expect_all_acknowledged();
  proxy.delay(std::chrono::milliseconds(550));
  hub.publish(20);
  EXPECT_TRUE(hub.says("it accepts connections and does not answer")) << hub.hub().log();
  EXPECT_TRUE(hub.connected_and_unanswered());
  hub.expect_all_acknowledged();
  proxy.heal();
  EXPECT_EQ(hub.rows(), hub.all_published());
}

TEST_F(LinkToDatabase, HasNoConnectionLeft) {
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  std::vector<std::unique_ptr<PGconn, Finish>> others;
  expect_to_last_through(
      hub, "it has no connection left; raise max_connections",
      [&] {
        proxy.refuse();
        proxy.cut();
        for (;;) {
          others.emplace_back(PQconnectdb(server.url("postgres").c_str()));
          if (PQstatus(others.back().get()) != CONNECTION_OK) break;
        }
        proxy.heal();
      },
      [&] { others.clear(); });
}

TEST_F(DatabaseAway, ReadOnly) {
  HubWithReadings hub{database, database};
  const auto set = [&](const char* value) {
    (void)psql(server.url("postgres"),
               std::string("ALTER SYSTEM SET default_transaction_read_only = ") + value);
    (void)psql(server.url("postgres"), "SELECT pg_reload_conf()");
    // The server tells the sessions that there are before it starts another one.
    ASSERT_TRUE(eventually([&] {
      return psql(server.url("postgres"), "SHOW default_transaction_read_only") == value;
    }));
  };
  expect_to_last_through(
      hub, "it is read-only; point the hub at the primary", [&] { set("on"); },
      [&] { set("off"); });
}

// Publishers that send as much as they can while the database hangs.
TEST_F(DatabaseAway, WhatWaitsStaysUnderItsBound) {
  constexpr std::int64_t kBound = 4 << 20;
  constexpr std::uint16_t kMessages = 200;
  constexpr std::size_t kPayload = 20'000;
  HubWithReadings hub{impatient(database),
                      database,
                      "",
                      2,
                      {"IOTHUB_STORAGE_HELD_BYTES=4 MiB", "IOTHUB_MQTT_MAX_HELD_BYTES=400 KiB"}};
  server.pause();
  const std::string payload = R"({"n": 1, "text": ")" + std::string(kPayload, 'x') + R"("})";
  const auto flood = [&](RawMqttClient& client, Qos qos) {
    return std::jthread([&client, &payload, qos] {
      try {
        for (std::uint16_t id = 1; id <= kMessages; ++id) {
          client.publish("devices/d/reading", payload, qos,
                         qos == Qos::at_most_once ? std::uint16_t{0} : id);
        }
      } catch (const std::runtime_error&) {  // nobody reads it in time: the test has failed
      }
    });
  };
  std::vector<std::unique_ptr<RawMqttClient>> clients;
  std::vector<std::jthread> threads;
  const auto add = [&](mqtt::ProtocolVersion version, Qos qos) -> RawMqttClient& {
    clients.push_back(std::make_unique<RawMqttClient>(hub.hub().port(), version));
    clients.back()->connect("flood" + std::to_string(clients.size()));
    threads.push_back(flood(*clients.back(), qos));
    return *clients.back();
  };
  RawMqttClient& refused = add(mqtt::ProtocolVersion::v5, Qos::at_least_once);
  EXPECT_TRUE(
      eventually([&] { return hub.metric("iothub_broker_publishes_over_quota_total") > 0; }));
  std::vector<RawMqttClient*> patient;
  for (int i = 0; i < 12; ++i) {
    patient.push_back(&add(mqtt::ProtocolVersion::v311, Qos::at_least_once));
  }
  for (int i = 0; i < 4; ++i) (void)add(mqtt::ProtocolVersion::v311, Qos::at_most_once);

  EXPECT_TRUE(eventually([&] {
    return hub.metric("iothub_broker_publishers_stopped_total") >= 12 &&
           hub.metric("iothub_rule_messages_total{rule=\"readings\",state=\"shed") > 0;
  }));
  EXPECT_LE(hub.metric("iothub_writer_held_bytes") + hub.metric("iothub_parked_bytes"),
            kBound + 2 * 3 * static_cast<std::int64_t>(kPayload));
  EXPECT_TRUE(hub.connected_and_unanswered()) << "who has nothing waiting is served";
  server.resume();
  for (RawMqttClient* client : patient) {
    for (std::uint16_t id = 1; id <= kMessages; ++id) {
      ASSERT_EQ(client->expect_ack(mqtt::PacketType::puback, id), 0);
    }
  }
  int accepted = 0;
  for (int i = 0; i < kMessages; ++i) {
    const auto ack =
        mqtt::client::decode_ack(refused.version(), refused.expect(mqtt::PacketType::puback).body);
    accepted += mqtt::is_failure(ack->reason) ? 0 : 1;
  }
  EXPECT_LT(accepted, static_cast<int>(kMessages));
  EXPECT_GE(std::stoi(hub.query("SELECT count(*) FROM readings")), 12 * kMessages + accepted);
  EXPECT_EQ(hub.metric("iothub_parked_bytes"), 0);
}

}  // namespace
}  // namespace hub::test
