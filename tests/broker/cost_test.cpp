// What a session, a connection and a message cost in memory.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "broker/client.h"
#include "broker/session/session.h"
#include "tests/support/allocation_count.h"
#include "tests/support/raw_mqtt_client.h"

namespace hub::broker {
namespace {

using mqtt::PacketType;
using test::RawMqttClient;

// A fleet is mostly idle: a device costs these two objects, its client id, and its subscriptions.
TEST(ObjectSizes, OfAnIdleDeviceStaySmall) {
  EXPECT_LE(sizeof(Session), 192u);
  EXPECT_LE(sizeof(Client), 96u) << "its connection and its channel";
  EXPECT_LE(sizeof(InboundFlows), 48u) << "made by the first QoS 1 or 2 publish";
}

// Counts what the shard's thread allocates, and commits every batch at the end of its turn.
class CountingSink final : public PublishSink {
 public:
  CountingSink(boost::asio::io_context& io, SinkListener& listener,
               std::atomic<std::size_t>& allocations)
      : io_(io), listener_(listener), allocations_(allocations) {}

  const SinkRoute* route(std::string_view) override { return &route_; }
  bool take(const SinkRoute&, const MessageView&, Publisher&) override { return true; }
  void acknowledge_after_commit(AckToken token) override { tokens_.push_back(token); }
  void durable_change_waits() override { changed_ = true; }
  void make_durable(const DurableChange&) override {}
  void end_of_turn() override {
    allocations_ = test::allocations_of_this_thread();
    if (committing_ || (tokens_.empty() && !changed_)) return;
    committing_ = true;
    boost::asio::post(io_, [this] { commit(); });
  }
  std::int64_t room_bytes() const noexcept override { return std::int64_t{1} << 30; }
  bool idle() const noexcept override { return !committing_; }

 private:
  const SinkRoute route_;
  void commit() {
    committing_ = changed_ = false;
    listener_.on_batch_closing();
    std::swap(tokens_, committed_);
    listener_.on_committed(committed_);
    committed_.clear();
  }

  boost::asio::io_context& io_;
  SinkListener& listener_;
  std::atomic<std::size_t>& allocations_;
  std::vector<AckToken> tokens_;
  std::vector<AckToken> committed_;
  bool committing_ = false;
  bool changed_ = false;
};

class Allocations : public testing::TestWithParam<Qos> {
 protected:
  // Sends a hundred messages in one write and takes the hundred answers.
  void round(RawMqttClient& client) {
    std::string packets;
    for (std::uint16_t id = 1; id <= kMessages; ++id)
      packets += mqtt::client::encode(mqtt::client::Publish{
          .topic = "rows/a", .payload = kPayload, .qos = GetParam(), .packet_id = id});
    client.send(packets);
    for (std::uint16_t id = 1; id <= kMessages; ++id)
      client.expect_ack(GetParam() == Qos::at_least_once ? PacketType::puback : PacketType::pubrec,
                        id);
    if (GetParam() != Qos::exactly_once) return;
    packets.clear();
    for (std::uint16_t id = 1; id <= kMessages; ++id)
      packets += mqtt::client::encode_ack(client.version(), PacketType::pubrel, id);
    client.send(packets);
    for (std::uint16_t id = 1; id <= kMessages; ++id) client.expect_ack(PacketType::pubcomp, id);
  }

  static constexpr std::uint16_t kMessages = 100;
  const std::string kPayload = std::string(110, 'x');
  std::atomic<std::size_t> allocations = 0;
};

TEST_P(Allocations, OfAMessageInTheSteadyStateAreNone) {
  Broker broker{{},
                1,
                [this](std::uint32_t, boost::asio::io_context& io, SinkListener& listener) {
                  return std::make_unique<CountingSink>(io, listener, allocations);
                },
                {}};
  RawMqttClient client{broker.listen("127.0.0.1", 0)};
  client.connect("device");
  for (int i = 0; i < 20; ++i) round(client);
  (void)client.quiet();
  const std::size_t before = allocations;
  for (int i = 0; i < 100; ++i) round(client);
  (void)client.quiet();
  EXPECT_EQ(allocations - before, 0u) << "in 10,000 messages";
}

INSTANTIATE_TEST_SUITE_P(Qos, Allocations, testing::Values(Qos::at_least_once, Qos::exactly_once));

}  // namespace
}  // namespace hub::broker
