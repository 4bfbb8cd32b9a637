// What clients notice when the day's messages are used up: the test says how many are left.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "broker/broker.h"
#include "tests/support/program.h"
#include "tests/support/raw_mqtt_client.h"

namespace hub::broker {
namespace {

using mqtt::PacketType;
using mqtt::ProtocolVersion;
using test::RawMqttClient;

constexpr std::uint8_t kUsedUp = 0x97;

// Commits when the test lets it.
class MeteredSink final : public PublishSink {
 public:
  // What the test sees and decides, from its own thread.
  struct Shared {
    std::atomic<std::int64_t> left = 0;
    std::atomic<bool> commits = true;
    std::atomic<int> taken = 0;
  };

  MeteredSink(Shared& shared, boost::asio::io_context& io, SinkListener& listener)
      : shared_(shared), io_(io), listener_(listener) {}

  const SinkRoute* route(std::string_view) override { return &route_; }
  bool take(const SinkRoute&, const MessageView&, Publisher&) override {
    ++shared_.taken;
    return true;
  }
  void acknowledge_after_commit(AckToken token) override { tokens_.push_back(token); }
  void durable_change_waits() override {}
  void make_durable(const DurableChange&) override {}
  void begin_turn(Timestamp) override { meter_.set_left(shared_.left); }
  void end_of_turn() override {
    shared_.left -= meter_.counted_since();
    meter_.set_left(shared_.left);
    if (shared_.commits && !tokens_.empty()) commit_later();
  }
  std::int64_t room_bytes() const noexcept override { return std::int64_t{1} << 30; }
  Meter* meter() noexcept override { return &meter_; }
  bool idle() const noexcept override { return tokens_.empty(); }

  void commit_later() {
    boost::asio::post(io_, [this] {
      const std::vector<AckToken> tokens = std::exchange(tokens_, {});
      listener_.on_committed(tokens);
    });
  }

 private:
  const SinkRoute route_;
  Shared& shared_;
  boost::asio::io_context& io_;
  SinkListener& listener_;
  Meter meter_;
  std::vector<AckToken> tokens_;
};

class DailyCap : public testing::Test {
 protected:
  DailyCap() {
    broker.emplace(
        Options{}, 1,
        [this](std::uint32_t, boost::asio::io_context& io, SinkListener& listener) {
          auto made = std::make_unique<MeteredSink>(shared, io, listener);
          sink = made.get();
          return made;
        },
        Broker::StoredSessions{});
    port = broker->listen("127.0.0.1", 0);
  }
  void commit() {
    shared.commits = true;
    sink->commit_later();
  }
  [[nodiscard]] Counters counters() const { return broker->totals().counters; }
  [[nodiscard]] RawMqttClient client(std::string_view id, ProtocolVersion version) const {
    RawMqttClient made{port, version};
    made.connect(id);
    return made;
  }

  MeteredSink::Shared shared;
  std::optional<Broker> broker;
  MeteredSink* sink = nullptr;
  std::uint16_t port = 0;
};

TEST_F(DailyCap, AnMqtt5ClientIsRefusedAndStillServed) {
  shared.left = 2;
  shared.commits = false;
  RawMqttClient device = client("device", ProtocolVersion::v5);
  for (std::uint16_t id = 1; id <= 3; ++id) device.publish("a", "x", Qos::at_least_once, id);
  EXPECT_EQ(device.expect_ack(PacketType::puback, 3), kUsedUp);
  commit();
  EXPECT_EQ(device.expect_ack(PacketType::puback, 1), 0);
  EXPECT_EQ(device.expect_ack(PacketType::puback, 2), 0);
  device.publish("a", "x", Qos::exactly_once, 4);
  EXPECT_EQ(device.expect_ack(PacketType::pubrec, 4), kUsedUp);
  device.publish("a", "x", Qos::at_most_once, 0);
  EXPECT_TRUE(device.quiet());
  EXPECT_EQ(shared.taken, 2);
  EXPECT_EQ(counters().publishes_over_daily_cap, 3u);
  shared.left = 2;  // the next day
  device.publish("a", "x", Qos::exactly_once, 4);
  EXPECT_EQ(device.expect_ack(PacketType::pubrec, 4), 0);
  EXPECT_EQ(shared.taken, 3);
}

TEST_F(DailyCap, AnMqtt311ClientIsDisconnectedAndMaySendAgain) {
  RawMqttClient device = client("device", ProtocolVersion::v311);
  device.publish("a", "x", Qos::at_most_once, 0);
  EXPECT_TRUE(device.quiet());
  device.publish("a", "x", Qos::at_least_once, 1);
  EXPECT_TRUE(device.closed());
  EXPECT_EQ(shared.taken, 0);
  EXPECT_EQ(counters().publishes_over_daily_cap, 2u);
  EXPECT_EQ(counters().protocol_errors, 0u);
  shared.left = 1;  // the next day
  RawMqttClient again = client("device", ProtocolVersion::v311);
  again.publish("a", "x", Qos::at_least_once, 1, true);
  EXPECT_EQ(again.expect_ack(PacketType::puback, 1), 0);
  EXPECT_EQ(shared.taken, 1);
}

TEST_F(DailyCap, AnMqtt311ClientFirstGetsTheAcknowledgementsOfWhatWasTaken) {
  shared.left = 1;
  shared.commits = false;
  RawMqttClient device = client("device", ProtocolVersion::v311);
  device.publish("a", "x", Qos::at_least_once, 1);
  device.publish("a", "x", Qos::at_least_once, 2);
  EXPECT_TRUE(test::eventually([&] { return counters().publishers_stopped == 1; }));
  commit();
  EXPECT_EQ(device.expect_ack(PacketType::puback, 1), 0);
  EXPECT_TRUE(device.closed());
  EXPECT_EQ(shared.taken, 1);
  EXPECT_EQ(counters().publishes_over_daily_cap, 1u);
}

TEST_F(DailyCap, DeliveriesCountAndAreNotStopped) {
  shared.left = 3;
  RawMqttClient subscriber = client("subscriber", ProtocolVersion::v5);
  subscriber.subscribe("a", Qos::at_most_once);
  RawMqttClient device = client("device", ProtocolVersion::v5);
  for (std::uint16_t id = 1; id <= 2; ++id) {
    device.publish("a", "x", Qos::at_least_once, id);
    EXPECT_EQ(device.expect_ack(PacketType::puback, id), 0);
    EXPECT_EQ(subscriber.expect_publish().topic, "a");
  }
  EXPECT_EQ(shared.left, -1);
  device.publish("a", "x", Qos::at_least_once, 3);
  EXPECT_EQ(device.expect_ack(PacketType::puback, 3), kUsedUp);
}

}  // namespace
}  // namespace hub::broker
