// max_connections: of all shards together, whichever of them clients belong to.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <optional>

#include "broker/broker.h"
#include "tests/broker/no_sink.h"
#include "tests/support/program.h"
#include "tests/support/raw_mqtt_client.h"

namespace hub::broker {
namespace {

using test::RawMqttClient;

class ConnectionBound : public testing::TestWithParam<std::uint32_t> {
 protected:
  static constexpr std::size_t kBound = 20;
  static Options options() {
    Options out;
    out.max_connections = kBound;
    return out;
  }

  Broker broker{options(), GetParam(),
                [](std::uint32_t, boost::asio::io_context&, SinkListener&) {
                  return std::make_unique<NoSink>();
                },
                Broker::StoredSessions{}};
  std::uint16_t port = broker.listen("127.0.0.1", 0);
};
INSTANTIATE_TEST_SUITE_P(Shards, ConnectionBound, testing::Values(1u, 3u));

TEST_P(ConnectionBound, IsReachedExactlyAndLeftAgain) {
  for (int round = 0; round < 2; ++round) {
    std::vector<RawMqttClient> clients;
    for (std::size_t i = 0; i < kBound; ++i) {
      clients.emplace_back(port);
      clients.back().connect("c" + std::to_string(i));
    }
    EXPECT_EQ(broker.totals().connections, kBound);
    RawMqttClient one_more{port};
    EXPECT_TRUE(one_more.closed());
    EXPECT_EQ(broker.totals().counters.connections_refused, static_cast<unsigned>(round) + 1);
    clients.clear();
    EXPECT_TRUE(test::eventually([&] { return broker.totals().connections == 0; }));
  }
}

}  // namespace
}  // namespace hub::broker
