// The bounds on topic filters that protect the index.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <optional>

#include "broker/broker.h"
#include "tests/broker/no_sink.h"
#include "tests/support/raw_mqtt_client.h"

namespace hub::broker {
namespace {

using mqtt::PacketType;
using mqtt::ProtocolVersion;
using mqtt::ReasonCode;
using test::RawMqttClient;

class FilterLimits : public testing::Test {
 protected:
  static Options options() {
    Options out;
    out.max_filter_levels = 5;
    out.max_filter_bytes = 40;
    return out;
  }
  static std::string levels(std::size_t count, std::string_view level) {
    std::string out{level};
    for (std::size_t i = 1; i < count; ++i) out.append("/").append(level);
    return out;
  }
  static std::vector<ReasonCode> subscribe(RawMqttClient& client,
                                           const std::vector<std::string>& filters) {
    mqtt::client::Subscribe packet{.version = client.version(), .packet_id = 1, .filters = {}};
    for (const std::string& filter : filters) {
      packet.filters.push_back({filter, {.qos = Qos::at_least_once}});
    }
    client.send(mqtt::client::encode(packet));
    const auto suback =
        mqtt::client::decode_suback(client.version(), client.expect(PacketType::suback).body);
    std::vector<ReasonCode> out;
    for (const auto code : suback->codes) out.push_back(static_cast<ReasonCode>(code));
    return out;
  }

  Broker broker{options(), 1,
                [](std::uint32_t, boost::asio::io_context&, SinkListener&) {
                  return std::make_unique<NoSink>();
                },
                Broker::StoredSessions{}};
  std::uint16_t port = broker.listen("127.0.0.1", 0);
};

TEST_F(FilterLimits, AreToldWithQuotaExceededAndLeaveTheOthersOfThePacket) {
  RawMqttClient client{port};
  client.connect("c");
  EXPECT_EQ(subscribe(client, {levels(5, "+"), levels(6, "+"), levels(6, ""), std::string(40, 'a'),
                               std::string(41, 'a')}),
            (std::vector{ReasonCode::granted_qos_1, ReasonCode::quota_exceeded,
                         ReasonCode::quota_exceeded, ReasonCode::granted_qos_1,
                         ReasonCode::quota_exceeded}));
  EXPECT_EQ(broker.totals().counters.subscriptions_refused, 3u);
  client.publish("a/b/c/d/e", "x", Qos::at_least_once, 7);
  EXPECT_EQ(client.expect_publish().payload, "x");
}

TEST_F(FilterLimits, AreToldAsAFailureInMqtt311) {
  RawMqttClient client{port, ProtocolVersion::v311};
  client.connect("c");
  EXPECT_EQ(subscribe(client, {levels(6, "+"), "a"}),
            (std::vector{ReasonCode::unspecified_error, ReasonCode::granted_qos_1}));
}

// 65,535 bytes of slashes: the most levels that a packet can ask for.
TEST_F(FilterLimits, HoldForTheDeepestFilterThereCanBe) {
  RawMqttClient client{port};
  client.connect("c");
  EXPECT_EQ(subscribe(client, {std::string(65'535, '/')}), std::vector{ReasonCode::quota_exceeded});
  EXPECT_TRUE(client.quiet());
}

}  // namespace
}  // namespace hub::broker
