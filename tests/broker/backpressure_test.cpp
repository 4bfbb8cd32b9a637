// What clients notice when storage has little room: a sink that holds all until the test commits.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <thread>

#include "broker/broker.h"
#include "tests/support/raw_mqtt_client.h"

namespace hub::broker {
namespace {

using mqtt::PacketType;
using mqtt::ProtocolVersion;
using test::RawMqttClient;

constexpr std::uint8_t kQuotaExceeded = 0x97;

// Takes everything, up to its bound. One shard's.
class HoldingSink final : public PublishSink {
 public:
  // What the test sees and decides, from its own thread.
  struct Shared {
    std::int64_t bound = 0;
    std::atomic<bool> commits = false;
    std::atomic<std::int64_t> held = 0;
    std::atomic<std::int64_t> most_held = 0;
    std::atomic<std::uint64_t> taken = 0;
  };

  HoldingSink(Shared& shared, boost::asio::io_context& io, SinkListener& listener)
      : shared_(shared), io_(io), listener_(listener) {}

  const SinkRoute* route(std::string_view topic) override {
    return topic.starts_with("rows/") ? &route_ : nullptr;
  }
  bool take(const SinkRoute&, const MessageView& message, Publisher&) override {
    batch_bytes_ += static_cast<std::int64_t>(message.payload.size());
    shared_.held += static_cast<std::int64_t>(message.payload.size());
    shared_.most_held = std::max(shared_.most_held.load(), shared_.held.load());
    ++shared_.taken;
    return true;
  }
  void acknowledge_after_commit(AckToken token) override { tokens_.push_back(token); }
  void durable_change_waits() override {}
  void make_durable(const DurableChange&) override {}
  void end_of_turn() override {
    if (shared_.commits && batch_bytes_ > 0) commit_later();
  }
  std::int64_t room_bytes() const noexcept override { return shared_.bound - shared_.held; }
  bool idle() const noexcept override { return tokens_.empty(); }

  void commit_later() {
    boost::asio::post(io_, [this] {
      shared_.held -= std::exchange(batch_bytes_, 0);
      listener_.on_committed(std::exchange(tokens_, {}));
    });
  }

 private:
  const SinkRoute route_;
  Shared& shared_;
  boost::asio::io_context& io_;
  SinkListener& listener_;
  std::int64_t batch_bytes_ = 0;
  std::vector<AckToken> tokens_;
};

class Backpressure : public testing::Test {
 protected:
  static constexpr std::int64_t kBound = 1'000'000;
  static constexpr std::size_t kQuota = 200'000;
  static constexpr std::size_t kPayload = 10'000;

  void start(std::size_t quota = kQuota) {
    shared.bound = kBound;
    Options options;
    options.max_held_bytes = quota;
    broker.emplace(
        options, 1,
        [this](std::uint32_t, boost::asio::io_context& io, SinkListener& listener) {
          auto made = std::make_unique<HoldingSink>(shared, io, listener);
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
  static void publish(RawMqttClient& client, std::uint16_t id, Qos qos = Qos::at_least_once) {
    client.publish("rows/a", std::string(kPayload, 'x'), qos, id);
  }
  // What a client that heeds nothing sends, from a thread of its own as nobody may read it.
  static std::jthread flood(RawMqttClient& client, std::uint16_t count) {
    return std::jthread([&client, count] {
      try {
        for (std::uint16_t id = 1; id <= count; ++id) publish(client, id);
      } catch (const std::runtime_error&) {  // nobody reads it in time: the test has failed
      }
    });
  }
  [[nodiscard]] bool eventually_stopped(std::uint64_t publishers) const {
    const auto until = std::chrono::steady_clock::now() + RawMqttClient::kPatience;
    while (counters().publishers_stopped < publishers) {
      if (std::chrono::steady_clock::now() > until) {
        ADD_FAILURE() << counters().publishers_stopped << " stopped, " << shared.held << " held";
        return false;
      }
    }
    return true;
  }

  HoldingSink::Shared shared;
  std::optional<Broker> broker;
  HoldingSink* sink = nullptr;
  std::uint16_t port = 0;
};

TEST_F(Backpressure, TheGreediestPublisherStopsFirstAndOthersGoOn) {
  start(kBound);
  RawMqttClient greedy = client("greedy", ProtocolVersion::v311);
  RawMqttClient modest = client("modest", ProtocolVersion::v311);
  std::jthread flooding = flood(greedy, 200);
  ASSERT_TRUE(eventually_stopped(1));
  EXPECT_LE(shared.held, kBound * 4 / 5 + static_cast<std::int64_t>(kPayload));
  EXPECT_GE(shared.held, kBound * 4 / 5 - static_cast<std::int64_t>(kPayload));
  const std::uint64_t before = shared.taken;
  for (std::uint16_t id = 1; id <= 5; ++id) publish(modest, id);
  EXPECT_TRUE(modest.quiet()) << "pings are answered";
  EXPECT_EQ(shared.taken, before + 5);
  commit();
  for (std::uint16_t id = 1; id <= 5; ++id) modest.expect_ack(PacketType::puback, id);
  for (std::uint16_t id = 1; id <= 200; ++id) greedy.expect_ack(PacketType::puback, id);
  flooding.join();
}

TEST_F(Backpressure, WhatWaitsStaysUnderTheBoundWhoeverSends) {
  start(kBound);
  constexpr std::size_t kClients = 40;
  constexpr std::uint16_t kMessages = 100;  // each has as much as the bound
  std::vector<RawMqttClient> clients;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.push_back(
        client("c" + std::to_string(i), i % 2 == 0 ? ProtocolVersion::v311 : ProtocolVersion::v5));
  }
  std::vector<std::jthread> threads;
  for (RawMqttClient& each : clients) threads.push_back(flood(each, kMessages));
  ASSERT_TRUE(eventually_stopped(kClients));
  // What was read before it was known that it has to wait, beside what storage holds.
  const auto parked = static_cast<std::int64_t>(broker->totals().parked_bytes);
  EXPECT_LE(shared.held + parked, kBound + static_cast<std::int64_t>(kPayload));
  commit();
  for (RawMqttClient& each : clients) {
    for (std::uint16_t id = 1; id <= kMessages; ++id) {
      ASSERT_EQ(each.expect_ack(PacketType::puback, id), 0);
    }
  }
  for (std::jthread& thread : threads) thread.join();
  EXPECT_EQ(shared.taken, kClients * kMessages);
  EXPECT_LE(shared.most_held, kBound + static_cast<std::int64_t>(kPayload));
  EXPECT_EQ(broker->totals().parked_bytes, 0u);
  RecordProperty("most_held_bytes", static_cast<int>(shared.most_held.load()));
}

TEST_F(Backpressure, AnMqtt5ClientOverItsQuotaIsRefusedAndStillServed) {
  start();
  RawMqttClient device = client("device", ProtocolVersion::v5);
  constexpr std::uint16_t kFits = kQuota / kPayload;
  for (std::uint16_t id = 1; id <= kFits; ++id) publish(device, id);
  EXPECT_TRUE(device.quiet());
  publish(device, 501);
  EXPECT_EQ(device.expect_ack(PacketType::puback, 501), kQuotaExceeded);
  publish(device, 502, Qos::exactly_once);
  EXPECT_EQ(device.expect_ack(PacketType::pubrec, 502), kQuotaExceeded);
  device.publish("elsewhere", "needs no storage", Qos::at_least_once, 503);
  EXPECT_EQ(shared.taken, kFits);
  EXPECT_EQ(counters().publishes_over_quota, 2u);
  EXPECT_EQ(counters().publishers_stopped, 0u);
  commit();
  for (std::uint16_t id = 1; id <= kFits; ++id) device.expect_ack(PacketType::puback, id);
  device.expect_ack(PacketType::puback, 503);
  // The packet ids that were refused are free.
  publish(device, 502, Qos::exactly_once);
  EXPECT_EQ(device.expect_ack(PacketType::pubrec, 502), 0);
}

TEST_F(Backpressure, AResendIsNeverRefused) {
  start();
  RawMqttClient device{port, ProtocolVersion::v5};
  device.connect("device", true, 100);
  constexpr std::uint16_t kFits = kQuota / kPayload;
  for (std::uint16_t id = 1; id <= kFits; ++id) publish(device, id, Qos::exactly_once);
  EXPECT_TRUE(device.quiet());
  device.vanish();
  RawMqttClient again{port, ProtocolVersion::v5};
  ASSERT_TRUE(again.connect("device", false, 100).session_present);
  for (std::uint16_t id = 1; id <= kFits; ++id) {
    again.publish("rows/a", std::string(kPayload, 'x'), Qos::exactly_once, id, true);
  }
  EXPECT_TRUE(again.quiet());
  commit();
  for (std::uint16_t id = 1; id <= kFits; ++id) {
    EXPECT_EQ(again.expect_ack(PacketType::pubrec, id), 0);
  }
  EXPECT_EQ(shared.taken, kFits);
}

TEST_F(Backpressure, AnMqtt311ClientOverItsQuotaIsNotRead) {
  start();
  RawMqttClient device = client("device", ProtocolVersion::v311);
  std::jthread flooding = flood(device, 100);
  ASSERT_TRUE(eventually_stopped(1));
  EXPECT_EQ(shared.taken, kQuota / kPayload);
  commit();
  for (std::uint16_t id = 1; id <= 100; ++id) device.expect_ack(PacketType::puback, id);
  flooding.join();
  EXPECT_EQ(shared.taken, 100u);
}

TEST_F(Backpressure, APublisherThatWaitsMayVanish) {
  start();
  for (int round = 0; round < 3; ++round) {
    RawMqttClient device = client("device", ProtocolVersion::v311);
    std::jthread flooding = flood(device, 25);
    ASSERT_TRUE(eventually_stopped(static_cast<std::uint64_t>(round) + 1));
    flooding.join();
    device.vanish();
  }
  RawMqttClient next = client("device", ProtocolVersion::v311);
  commit();
  publish(next, 1);
  next.expect_ack(PacketType::puback, 1);
  EXPECT_EQ(broker->totals().parked_bytes, 0u);
}

}  // namespace
}  // namespace hub::broker
