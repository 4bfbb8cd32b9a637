// iothub ledger: every message that a rule got is accounted for, whatever happened to the hub.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/e2e/hub_on_database.h"

namespace hub::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kLedgerTables =
    "CREATE TABLE climate (device text NOT NULL, seq bigint, t float8 CHECK (t < 1000));"
    "CREATE TABLE alarm (device text NOT NULL, seq bigint, t float8);"
    "CREATE TABLE once (device text, seq bigint, PRIMARY KEY (device, seq))";

constexpr const char* kLedgerRules = R"(
[[rule]]
name = "climate"
sequence = "seq"
sql = '''SELECT clientid AS device, payload.seq AS seq, payload.t AS t FROM "t/#"
         WHERE payload.t > -100'''
[[rule.action]]
type = "dump"
table = "climate"
[[rule.action]]
type = "dump"
table = "alarm"
when = "t > 80"

[[rule]]
name = "once"
sql = 'SELECT clientid AS device, payload.seq AS seq FROM "once/#"'
[[rule.action]]
type = "dump"
table = "once"
key = ["device", "seq"]

[[rule]]
name = "passed on"
sql = 'SELECT payload.t AS t FROM "t/#"'
[[rule.action]]
type = "republish"
topic = "hot"
when = "t > 80"
)";

class Ledger : public ::testing::Test {
 protected:
  // The rule's line, as numbers in the order of the columns.
  [[nodiscard]] std::string line(std::string_view rule, const HubOnDatabase& of) const {
    const std::string table = of.output({"ledger"});
    const std::size_t begin = table.find(fmt::format("\n{} ", rule)) + 1;
    std::string out;
    for (const char c : table.substr(begin, table.find('\n', begin) - begin)) {
      if (c != ' ' || (!out.empty() && out.back() != ' ')) out += c;
    }
    return out;
  }
  [[nodiscard]] std::string line(std::string_view rule) const { return line(rule, h); }

  HubOnDatabase h{kLedgerTables, kLedgerRules};
};

TEST_F(Ledger, SaysHowEachMessageEnded) {
  RawMqttClient device(h.process().port());
  device.connect("d1");
  h.publish(device, "t/1", R"({"seq": 1, "t": 20})");
  h.publish(device, "t/1", R"({"seq": 2, "t": 90})");      // a row in each table
  h.publish(device, "t/1", R"({"seq": 3, "t": -273})");    // filtered
  h.publish(device, "t/1", R"({"seq": 4, "t": 1000})");    // refused by one of its tables
  h.publish(device, "t/1", R"({"seq": "five", "t": 1})");  // no bigint
  h.publish(device, "t/1", R"({"seq": 6)");                // no JSON
  h.publish(device, "once/1", R"({"seq": 1})");
  h.publish(device, "once/1", R"({"seq": 1})");
  EXPECT_EQ(h.process().stop(), 0);  // books what waits: keyed rows, devices
  // received committed filtered dead_lettered nothing_to_store shed pending rows duplicates
  EXPECT_EQ(line("climate"), "climate 6 2 1 3 0 0 0 4 0");
  EXPECT_EQ(line("once"), "once 2 2 0 0 0 0 0 1 1");
  EXPECT_EQ(line("passed on"), "passed on 6 0 0 1 5 0 0 0 0");
  EXPECT_EQ(h.query("SELECT (SELECT count(*) FROM climate), (SELECT count(*) FROM alarm)"), "2|2");
  EXPECT_THAT(h.output({"ledger", "--device", "d1", "--rule", "climate"}),
              HasSubstr("\nclimate  d1             6          2         1              3"));
}

TEST_F(Ledger, FailsAndNamesTheRuleWhenASumIsOff) {
  RawMqttClient device(h.process().port());
  device.connect("d1");
  h.publish(device, "t/1", R"({"seq": 1, "t": 20})");
  h.query("UPDATE iothub.ledger SET received = received + 2 WHERE rule = 'climate'");
  EXPECT_THAT(h.output({"ledger"}, 1),
              HasSubstr("rule \"climate\" does not balance: 3 received, 1 accounted for"));
  EXPECT_THAT(h.output({"ledger", "--json"}, 1), HasSubstr("\"balanced\":false"));
  EXPECT_EQ(h.run({"ledger", "--rule", "once"}).exit_code, 0);
  EXPECT_EQ(h.run({"ledger", "--rule", "none"}).exit_code, 1);
}

TEST_F(Ledger, FailsAndNamesTheDeviceWhenItsSumIsOff) {
  for (const char* id : {"d1", "d2"}) {
    RawMqttClient device(h.process().port());
    device.connect(id);
    h.publish(device, "t/1", R"({"seq": 1, "t": 20})");
  }
  EXPECT_EQ(h.process().stop(), 0);
  EXPECT_EQ(h.run({"ledger", "--devices"}).exit_code, 0);
  h.query(
      "UPDATE iothub.device_ledger SET committed = committed - 1 WHERE rule = 'climate' AND device "
      "= 'd2'");
  EXPECT_THAT(h.output({"ledger", "--devices"}, 1),
              HasSubstr("rule \"climate\", device \"d2\" does not balance: 1 received, 0 accounted "
                        "for"));
  EXPECT_EQ(h.run({"ledger", "--device", "d1"}).exit_code, 0);
}

TEST_F(Ledger, ShowsWhatIsPending) {
  h.query("BEGIN; LOCK TABLE climate IN ACCESS EXCLUSIVE MODE");
  RawMqttClient device(h.process().port());
  device.connect("d1");
  device.publish("t/1", R"({"seq": 1, "t": 20})", Qos::at_least_once, 1);
  device.publish("t/1", R"({"seq": 2, "t": 20})", Qos::at_least_once, 2);
  ASSERT_TRUE(eventually([&] { return line("climate") == "climate 2 0 0 0 0 0 2 0 0"; }))
      << line("climate");
  h.query("COMMIT");
  device.expect_ack(mqtt::PacketType::puback, 1);
  device.expect_ack(mqtt::PacketType::puback, 2);
  EXPECT_EQ(line("climate"), "climate 2 2 0 0 0 0 0 2 0");
}

TEST_F(Ledger, IsExactAfterTheHubWasKilled) {
  std::minstd_rand random(std::random_device{}());
  int published = 0;
  for (int round = 0; round < 4; ++round) {
    RawMqttClient device(h.process().port());
    device.connect(fmt::format("d{}", round));
    for (int i = 0; i < 400; ++i) {
      ++published;
      device.publish("t/1", fmt::format(R"({{"seq": {}, "t": {}}})", i, i % 7 == 0 ? 2000 : i % 70),
                     Qos::at_least_once, static_cast<std::uint16_t>(i + 1));
    }
    for (auto acknowledgements = random() % 300; acknowledgements > 0; --acknowledgements) {
      static_cast<void>(device.expect(mqtt::PacketType::puback));
    }
    if (round == 1) {  // once with devices that are booked, and more of them to come
      ASSERT_TRUE(
          eventually([&] { return h.query("SELECT count(*) FROM iothub.device_ledger") != "0"; }));
      for (int i = 400; i < 900; ++i, ++published) {
        device.publish("t/1", fmt::format(R"({{"seq": {}, "t": {}}})", i, i % 7 == 0 ? 2000 : 1),
                       Qos::at_least_once, static_cast<std::uint16_t>(i + 1));
      }
    }
    h.process().kill();
    // Nobody has to wait for the backends of the killed hub: what they had not committed is gone.
    ASSERT_TRUE(eventually([&] {
      return h.query(
                 "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'iothub' AND "
                 "datname = current_database()") == "0";
    }));
    // Those that are too hot for their table have a row in the other one, and are dead letters.
    const std::string stored = h.query("SELECT count(*) FROM climate");
    const std::string rows =
        h.query("SELECT (SELECT count(*) FROM climate) + (SELECT count(*) FROM alarm)");
    const std::string refused =
        h.query("SELECT count(*) FROM iothub.dead_letter WHERE rule = 'climate'");
    EXPECT_EQ(h.query("SELECT sum(committed), sum(dead_lettered), sum(rows) FROM iothub.ledger "
                      "WHERE rule = 'climate'"),
              fmt::format("{}|{}|{}", stored, refused, rows));
    EXPECT_EQ(h.run({"ledger"}).exit_code, 0);
    EXPECT_EQ(h.run({"ledger", "--devices"}).exit_code, 0);
    // Behind by what was not booked, and never ahead.
    EXPECT_EQ(
        h.query("SELECT * FROM iothub.device_ledger AS d WHERE rule = 'climate' AND ("
                "committed > (SELECT count(*) FROM climate WHERE device = d.device) OR "
                "dead_lettered > (SELECT count(*) FROM iothub.dead_letter AS l WHERE l.rule = "
                "d.rule AND l.client_id = d.device))"),
        "");
    if (round == 1) {
      EXPECT_NE(
          h.query("SELECT received FROM iothub.device_ledger WHERE rule = 'climate' AND device "
                  "= 'd1'"),
          "");
    }
    // Of the devices of a rule with a sequence, too, although they are added up only now and then.
    const auto sums = [&](const char* table) {
      return h.query(
          fmt::format("SELECT sum(received), sum(committed + dead_lettered) FROM iothub.{} WHERE "
                      "rule = 'climate'",
                      table));
    };
    EXPECT_EQ(sums("device_account"), sums("ledger"));
    EXPECT_EQ(h.query("SELECT count(*) FROM iothub.device_seen FULL JOIN (SELECT device, "
                      "range_agg(int8range(seq, seq + 1)) AS stored FROM (SELECT * FROM climate "
                      "UNION ALL SELECT * FROM alarm) AS t GROUP BY device) AS t USING (device) "
                      "WHERE seen IS DISTINCT FROM stored"),
              "0");
    h.process().start();
    EXPECT_EQ(h.run({"ledger"}).exit_code, 0);
  }
  EXPECT_LE(std::stoi(h.query("SELECT sum(received) FROM iothub.ledger WHERE rule = 'climate'")),
            published);
}

TEST_F(Ledger, ListsTheSequenceNumbersThatNeverArrived) {
  {
    RawMqttClient device(h.process().port());
    device.connect("d1");
    for (const int n : {1, 2, 5, 6, 4, 4, 9}) {
      h.publish(device, "t/1", fmt::format(R"({{"seq": {}, "t": 1}})", n));
    }
    RawMqttClient whole(h.process().port());
    whole.connect("d2");
    for (const int n : {1, 2, 3}) {
      h.publish(whole, "t/1", fmt::format(R"({{"seq": {}, "t": 1}})", n));
    }
  }
  EXPECT_EQ(h.process().stop(), 0);
  EXPECT_EQ(h.output({"ledger", "--gaps"}),
            "rule     device  seen  missing\nclimate  d1      1-9   3, 7-8\n");
  h.process().start();
  {
    RawMqttClient device(h.process().port());
    device.connect("d1");
    for (const int n : {3, 10, 12}) {
      h.publish(device, "t/1", fmt::format(R"({{"seq": {}, "t": 1}})", n));
    }
  }
  EXPECT_EQ(h.process().stop(), 0);
  EXPECT_EQ(h.output({"ledger", "--gaps", "--json"}),
            R"({"gaps":[{"rule":"climate","device":"d1","first":1,"last":12,)"
            R"("missing":[[7,8],[11,11]],"given_up":0}]})"
            "\n");
}

// Everything that is kept of a client is found by its id: one that does not fit into an index would
// hold up the batches of all its neighbours for good.
TEST_F(Ledger, KeepsTheLongestClientIdAndNoLongerOne) {
  std::minstd_rand random(1);
  std::string id;
  while (id.size() < 1'024) id += static_cast<char>('!' + random() % 90);
  RawMqttClient device(h.process().port());
  ASSERT_EQ(device.connect(id, false, 3'600).code, 0);
  device.publish("once/1", R"({"seq": 1})", Qos::exactly_once, 1);
  device.expect_ack(mqtt::PacketType::pubrec, 1);
  EXPECT_EQ(RawMqttClient(h.process().port()).connect(id + id + id, false, 3'600).code, 0x85);
  EXPECT_EQ(h.process().stop(), 0);
  EXPECT_EQ(h.query("SELECT length(device), received FROM iothub.device_ledger"), "1024|1");
  EXPECT_EQ(h.query("SELECT length(client_id) FROM iothub.session_state"), "1024");
}

TEST_F(Ledger, MetricsHaveEachCounterUnderItsName) {
  RawMqttClient device(h.process().port());
  device.connect("d1");
  h.publish(device, "t/1", R"({"seq": 1, "t": 20})");
  EXPECT_THAT(h.output({"metrics"}),
              AllOf(HasSubstr("\n# TYPE iothub_broker_publishes_received_total counter\n"
                              "iothub_broker_publishes_received_total 1\n"),
                    HasSubstr("\niothub_broker_dropped_slow_subscriber_total 0\n"),
                    HasSubstr("\niothub_rule_messages_total{rule=\"climate\",state=\"committed\"} "
                              "1\n"),
                    HasSubstr("\niothub_rule_messages_total{rule=\"climate\",state=\"shed_storage_"
                              "full\"} 0\n"),
                    HasSubstr("\niothub_rule_messages_pending{rule=\"climate\"} 0\n")));
  h.process().stop();
  EXPECT_EQ(h.run({"metrics"}).exit_code, 1);
}

TEST(LedgerInSys, IsRetainedBelowSys) {
  HubOnDatabase h(kLedgerTables, kLedgerRules, {"--mqtt-sys-interval", "1"});
  RawMqttClient device(h.process().port());
  device.connect("d1");
  h.publish(device, "t/1", R"({"seq": 1, "t": 20})");
  RawMqttClient reader(h.process().port());
  reader.connect("reader");
  reader.subscribe("$SYS/hub/ledger/climate", Qos::at_most_once);
  for (;;) {
    const std::string payload = reader.expect_publish().payload;
    if (payload.find(R"("received":1,"committed":1,)") != std::string::npos) break;
  }
  RawMqttClient later(h.process().port());
  later.connect("later");
  later.subscribe("$SYS/broker/publish/messages/received", Qos::at_most_once);
  EXPECT_TRUE(later.expect_publish().retain);
  // A wildcard at the beginning does not match them [MQTT-4.7.2-1].
  RawMqttClient everything(h.process().port());
  everything.connect("everything");
  everything.subscribe("#", Qos::at_most_once);
  EXPECT_TRUE(everything.quiet());
}

}  // namespace
}  // namespace hub::test
