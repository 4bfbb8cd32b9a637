// max_daily_messages on a real database: what was counted outlives the hub.
#include <gtest/gtest.h>

#include "tests/e2e/hub_on_database.h"

namespace hub::test {
namespace {

using mqtt::PacketType;

constexpr auto kCapTables = "CREATE TABLE plain (n bigint)";
constexpr auto kCapRules = R"(
[[rule]]
name = "all"
sql  = 'SELECT payload.n AS n FROM "d"'

[[rule.action]]
type  = "dump"
table = "plain"
)";
constexpr std::uint8_t kQuotaExceeded = 0x97;

// The answer to one message.
std::uint8_t publish(HubOnDatabase& hub) {
  RawMqttClient device{hub.process().port()};
  device.connect("d1");
  device.publish("d", R"({"n": 1})", Qos::at_least_once, 1);
  return device.expect_ack(PacketType::puback, 1);
}

TEST(DailyCap, HoldsWhenTheHubIsKilledAndEndsWithTheDay) {
  HubOnDatabase hub{kCapTables, kCapRules, {"--meter", "m", "--max-daily-messages", "3"}};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(publish(hub), 0);
  EXPECT_EQ(publish(hub), kQuotaExceeded);
  EXPECT_NE(hub.process().log().find("the 3 messages of this day (max_daily_messages) are used up"),
            std::string::npos);
  EXPECT_NE(hub.output({"metrics"}).find("iothub_broker_publishes_over_daily_cap_total 1\n"),
            std::string::npos);

  hub.process().kill();
  hub.process().start();
  EXPECT_EQ(publish(hub), kQuotaExceeded);
  EXPECT_EQ(hub.query("SELECT count(*), (SELECT sum(messages) FROM iothub.usage) FROM plain"),
            "3|3");

  hub.process().kill();
  hub.query("UPDATE iothub.usage SET day = day - 1");  // as it is a day later
  hub.process().start();
  EXPECT_EQ(publish(hub), 0);
}

}  // namespace
}  // namespace hub::test
