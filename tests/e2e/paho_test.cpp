// Eclipse Paho MQTT C++ as the client: both protocol versions, all QoS levels.
#include <gtest/gtest.h>
#include <mqtt/async_client.h>

#include "tests/support/hub_process.h"

// Debian's Paho is built without ThreadSanitizer, which sees what it allocates and frees, and none
// of the atomic operations by which its threads agree on that. So nothing is reported of this
// process; the hub is another one.
extern "C" const char* __tsan_default_options() { return "report_bugs=0"; }

namespace hub::test {
namespace {

class PahoTest : public testing::TestWithParam<int> {
 protected:
  static constexpr std::chrono::seconds kPatience{30};
  static constexpr int kBuffered = 1'000;  // publishes that Paho keeps until they are acknowledged

  static mqtt::connect_options options() {
    auto builder = mqtt::connect_options_builder();
    if (GetParam() == MQTTVERSION_5) {
      builder.mqtt_version(MQTTVERSION_5).clean_start(true);
    } else {
      builder.mqtt_version(MQTTVERSION_3_1_1).clean_session(true);
    }
    return builder.finalize();
  }
  mqtt::async_client client(const std::string& id) {
    return {"tcp://127.0.0.1:" + std::to_string(hub.port()), id,
            mqtt::create_options(GetParam(), kBuffered)};
  }
  static void connect(mqtt::async_client& client) {
    ASSERT_TRUE(client.connect(options())->wait_for(kPatience));
  }

  HubProcess hub{{}};
};
INSTANTIATE_TEST_SUITE_P(Versions, PahoTest, testing::Values(MQTTVERSION_3_1_1, MQTTVERSION_5));

TEST_P(PahoTest, ARowForEveryAcknowledgedMessageAtEveryQos) {
  constexpr int kMessages = 200;
  mqtt::async_client device = client("d1");
  connect(device);
  for (int qos = 0; qos <= 2; ++qos) {
    std::vector<mqtt::delivery_token_ptr> tokens;
    for (int i = 0; i < kMessages; ++i) {
      const std::string payload =
          "{\"qos\": " + std::to_string(qos) + ", \"n\": " + std::to_string(i) + "}";
      tokens.push_back(device.publish("devices/d1/telemetry", payload, qos, false));
    }
    for (const auto& token : tokens) ASSERT_TRUE(token->wait_for(kPatience));
  }
  for (int qos = 1; qos <= 2; ++qos) {  // acknowledged, so the rows are there now
    EXPECT_EQ(hub.query("select count(*), sum((payload->>'n')::int) from telemetry "
                        "where device = 'd1' and payload->>'qos' = '" +
                        std::to_string(qos) + "'"),
              "200|19900");
  }
  EXPECT_TRUE(eventually([&] {
    return hub.query("select count(*) from telemetry where payload->>'qos' = '0'") == "200";
  }));
  ASSERT_TRUE(device.disconnect()->wait_for(kPatience));
}

TEST_P(PahoTest, ReceivesWhatItSubscribedToInOrder) {
  mqtt::async_client subscriber = client("sub");
  subscriber.start_consuming();
  connect(subscriber);
  ASSERT_TRUE(subscriber.subscribe("news/#", 2)->wait_for(kPatience));
  mqtt::async_client publisher = client("pub");
  connect(publisher);
  for (int i = 0; i < 300; ++i) {
    publisher.publish("news/x", std::to_string(i), 2, false);
  }
  for (int i = 0; i < 300; ++i) {
    mqtt::const_message_ptr message;
    ASSERT_TRUE(subscriber.try_consume_message_for(&message, kPatience));
    EXPECT_EQ(message->to_string(), std::to_string(i));
    EXPECT_EQ(message->get_qos(), 2);
  }
  ASSERT_TRUE(publisher.disconnect()->wait_for(kPatience));
  ASSERT_TRUE(subscriber.disconnect()->wait_for(kPatience));
}

}  // namespace
}  // namespace hub::test
