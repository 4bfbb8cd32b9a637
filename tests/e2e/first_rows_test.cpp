// What README.md tells a new user to do, with the clients of mosquitto and psql.
#include <gtest/gtest.h>

#include "tests/support/hub_process.h"
#include "tests/support/postgres_fixture.h"

namespace hub::test {
namespace {

Outcome mosquitto_pub(const HubProcess& hub, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(),
                   {"mosquitto_pub", "-h", "127.0.0.1", "-p", std::to_string(hub.port())});
  return run_program(arguments);
}

TEST(FirstRows, AMessageOfMosquittoPubIsARow) {
  HubProcess hub{{}};
  for (const char* version : {"311", "5"}) {
    for (const char* qos : {"1", "2"}) {
      const Outcome sent =
          mosquitto_pub(hub, {"-V", version, "-q", qos, "-t", "devices/d1/telemetry", "-m",
                              R"({"temperature": 21.5, "humidity": 40})"});
      ASSERT_EQ(sent.exit_code, 0) << sent.err;
    }
  }
  EXPECT_EQ(hub.query("select device, topic, payload->>'temperature', count(*), "
                      "bool_and(received_at > now() - interval '1 minute') "
                      "from telemetry group by 1, 2, 3"),
            "d1|devices/d1/telemetry|21.5|4|t");
  EXPECT_EQ(hub.stop(), 0);
}

TEST(FirstRows, WhatIsNotJsonIsADeadLetterWithItsPayload) {
  HubProcess hub{{}};
  const Outcome sent =
      mosquitto_pub(hub, {"-q", "1", "-i", "c7", "-t", "devices/d1/telemetry", "-m", "not json"});
  ASSERT_EQ(sent.exit_code, 0) << sent.err;
  EXPECT_EQ(hub.query("select rule, reason, topic, client_id, qos, convert_from(payload, 'UTF8') "
                      "from iothub.dead_letter"),
            "telemetry|payload_not_json|devices/d1/telemetry|c7|1|not json");
  EXPECT_EQ(hub.query("select count(*) from telemetry"), "0");
}

TEST(FirstRows, ATypedRuleFillsItsTableAndRepublishes) {
  const TestDatabase database;
  ASSERT_EQ(
      run_program({built_program("iothub"), "db", "init", "--database", database.url()}).exit_code,
      0);
  (void)psql(database.url(),
             "create table climate (device text not null, ts timestamptz not null, "
             "temperature double precision, humidity integer)");
  HubProcess hub{{.database = database.url(), .rules = R"(
[[rule]]
name = "climate"
sql  = '''
  SELECT clientid AS device, timestamp AS ts, payload.temperature AS temperature, payload.humidity AS humidity
  FROM "devices/+/telemetry"
  WHERE payload.temperature > -100
'''
[[rule.action]]
type  = "dump"
table = "climate"
[[rule.action]]
type  = "republish"
topic = "alerts/${device}"
when  = "temperature > 80"
)"}};
  // stdbuf: mosquitto_sub's words are wanted as it says them.
  RunningProgram alerts{{"stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p",
                         std::to_string(hub.port()), "-V", "5", "-q", "1", "-t", "alerts/#", "-v",
                         "-d"}};
  (void)alerts.wait_for_line("Subscribed");
  const auto publish = [&](const char* payload) {
    const Outcome sent =
        mosquitto_pub(hub, {"-q", "1", "-i", "d1", "-t", "devices/d1/telemetry", "-m", payload});
    ASSERT_EQ(sent.exit_code, 0) << sent.err;
  };
  publish(R"({"temperature": 21.5, "humidity": 40})");
  publish(R"({"temperature": 99})");
  publish(R"({"temperature": -200})");
  publish(R"({"temperature": 30, "humidity": 1e12})");
  EXPECT_EQ(hub.query("select device, temperature, humidity from climate order by temperature"),
            "d1|21.5|40\nd1|99|");
  EXPECT_EQ(hub.query("select reason from iothub.dead_letter"), "value_unfit");
  EXPECT_NE(alerts.wait_for_line("alerts/d1 ").find("99"), std::string::npos);
}

}  // namespace
}  // namespace hub::test
