// Eclipse Paho MQTT C++ as the client: both protocol versions, every transport, all QoS levels.
#include <gtest/gtest.h>
#include <mqtt/async_client.h>

#include "tests/support/hub_process.h"

// Debian's Paho is built without ThreadSanitizer, which sees what it allocates and frees, and none
// of the atomic operations by which its threads agree on that. So nothing is reported of this
// process; the hub is another one.
extern "C" const char* __tsan_default_options() { return "report_bugs=0"; }

namespace hub::test {
namespace {

struct Way {
  int version;
  std::string scheme;  // of Paho's URLs
};

std::string name_of(const testing::TestParamInfo<Way>& info) {
  return (info.param.version == MQTTVERSION_5 ? "V5" : "V311") + info.param.scheme;
}

class PahoTest : public testing::TestWithParam<Way> {
 protected:
  static constexpr std::chrono::seconds kPatience{30};
  static constexpr int kBuffered = 1'000;  // publishes that Paho keeps until they are acknowledged

  PahoTest() : hub(listening()) {}

  // With a listener for TLS, one for WebSocket and one for both, and certificates for them.
  HubProcess::Options listening() {
    const Outcome made = run_program(
        {built_program("iothub"), "tls", "init", directory.path() / "tls", "--name", "127.0.0.1"});
    EXPECT_EQ(made.exit_code, 0) << made.err;
    const std::string tls =
        "[listener.tls]\ncertificate = \"tls/server.crt\"\nkey = \"tls/server.key\"\n";
    const std::string listener = "[[listener]]\nport = 0\n";
    const std::string websocket = "protocol = \"websocket\"\n";
    const auto config = directory.write(
        "hub.toml", listener + tls + listener + websocket + listener + websocket + tls);
    return {.more = {"--config", config}};
  }
  [[nodiscard]] std::string url() const {
    const std::string& scheme = GetParam().scheme;
    const std::string shown = scheme == "tcp" ? "mqtt" : scheme == "ssl" ? "mqtts" : scheme;
    const std::string before = " " + shown + "://";
    const auto at = hub.ready_line().find(before);
    EXPECT_NE(at, std::string::npos) << hub.ready_line();
    const auto begin = at + before.size();
    const auto end = hub.ready_line().find(' ', begin);
    return scheme + "://" + hub.ready_line().substr(begin, end - begin) +
           (scheme.starts_with("ws") ? "/mqtt" : "");
  }
  mqtt::connect_options options() {
    auto builder = mqtt::connect_options_builder();
    builder.ssl(
        mqtt::ssl_options_builder().trust_store(directory.path() / "tls/ca.crt").finalize());
    if (GetParam().version == MQTTVERSION_5) {
      builder.mqtt_version(MQTTVERSION_5).clean_start(true);
    } else {
      builder.mqtt_version(MQTTVERSION_3_1_1).clean_session(true);
    }
    return builder.finalize();
  }
  mqtt::async_client client(const std::string& id) {
    return {url(), id, mqtt::create_options(GetParam().version, kBuffered)};
  }
  void connect(mqtt::async_client& client) {
    ASSERT_TRUE(client.connect(options())->wait_for(kPatience));
  }

  TemporaryDirectory directory;
  HubProcess hub;
};
INSTANTIATE_TEST_SUITE_P(Ways, PahoTest,
                         testing::Values(Way{MQTTVERSION_3_1_1, "tcp"}, Way{MQTTVERSION_5, "tcp"},
                                         Way{MQTTVERSION_3_1_1, "ssl"}),
                         name_of);

// One message at a time: Paho's WebSocket (1.3.12) loses what comes behind another packet in a
// frame, which the standard allows [MQTT-6.0.0-2].
class PahoWebSocketTest : public PahoTest {};
INSTANTIATE_TEST_SUITE_P(Ways, PahoWebSocketTest,
                         testing::Values(Way{MQTTVERSION_3_1_1, "ws"}, Way{MQTTVERSION_5, "wss"}),
                         name_of);

TEST_P(PahoWebSocketTest, ARowForEveryAcknowledgedMessage) {
  mqtt::async_client device = client("d1");
  connect(device);
  for (const std::size_t size : {10, 1'000, 200'000}) {
    for (int qos = 1; qos <= 2; ++qos) {
      const std::string payload = "{\"text\": \"" + std::string(size, 'x') + "\"}";
      ASSERT_TRUE(device.publish("devices/d1/telemetry", payload, qos, false)->wait_for(kPatience));
    }
  }
  EXPECT_EQ(hub.query("select count(*), max(length(payload->>'text')) from telemetry"), "6|200000");
  ASSERT_TRUE(device.disconnect()->wait_for(kPatience));
}

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
