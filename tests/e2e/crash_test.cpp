// SIGKILL under load: what was acknowledged is in the table, at QoS 2 once.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "tests/support/hub_process.h"
#include "tests/support/mqtt_client_codec.h"
#include "tests/support/raw_mqtt_client.h"

namespace hub::test {
namespace {

using mqtt::PacketType;
using mqtt::ProtocolVersion;

// A device with a session that outlives its connections. It publishes numbered messages, some at
// QoS 1 and some at QoS 2, and sends again what was not acknowledged, as the standard says.
class Device {
 public:
  explicit Device(std::string id) : id_(std::move(id)) {}

  // Publishes until the hub goes away, or `stop`, and then until nothing is open.
  void run(std::uint16_t port, const std::atomic<bool>& stop) {
    try {
      RawMqttClient client{port};
      const bool present = client.connect(id_, false, 3'600).session_present;
      if (!present && ever_connected_ && !open_.empty()) lost_session_ = true;
      ever_connected_ = true;
      for (auto& [id, message] : open_) send(client, id, message, true);
      while (!stop || !open_.empty()) {
        while (!stop && open_.size() < kWindow) begin(client);
        if (!open_.empty()) take(client.receive());
        for (const auto& [id, message] : std::exchange(to_release_, {})) {
          client.send(mqtt::client::encode_ack(ProtocolVersion::v5, PacketType::pubrel, id));
        }
      }
    } catch (const std::runtime_error&) {  // the hub was killed
    }
  }

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::set<int>& acknowledged() const { return acknowledged_; }
  [[nodiscard]] bool lost_session() const { return lost_session_; }

 private:
  static constexpr std::size_t kWindow = 40;
  struct Message {
    int number;
    Qos qos;
    bool received;  // PUBREC has come
  };

  void begin(RawMqttClient& client) {
    do next_id_ = static_cast<std::uint16_t>(next_id_ % 2'000 + 1);
    while (open_.contains(next_id_));
    const int number = next_number_++;
    const Message message{number, number % 2 == 0 ? Qos::at_least_once : Qos::exactly_once, false};
    send(client, next_id_, open_.emplace(next_id_, message).first->second, false);
  }
  void send(RawMqttClient& client, std::uint16_t id, const Message& message, bool again) {
    if (message.received) {
      client.send(mqtt::client::encode_ack(ProtocolVersion::v5, PacketType::pubrel, id));
      return;
    }
    client.publish("devices/" + id_ + "/telemetry",
                   "{\"n\": " + std::to_string(message.number) +
                       ", \"q\": " + std::to_string(static_cast<int>(message.qos)) + "}",
                   message.qos, id, again);
  }
  void take(const RawMqttClient::Packet& packet) {
    const auto ack = mqtt::client::decode_ack(ProtocolVersion::v5, packet.body);
    const auto found = open_.find(ack->packet_id);
    if (found == open_.end()) return;
    switch (packet.type) {
      case PacketType::puback:
        acknowledged_.insert(found->second.number);
        open_.erase(found);
        break;
      case PacketType::pubrec:
        acknowledged_.insert(found->second.number);
        found->second.received = true;
        to_release_.emplace(found->first, found->second);
        break;
      case PacketType::pubcomp:
        open_.erase(found);
        break;
      default:
        break;
    }
  }

  std::string id_;
  std::map<std::uint16_t, Message> open_;
  std::map<std::uint16_t, Message> to_release_;
  std::set<int> acknowledged_;
  std::uint16_t next_id_ = 0;
  int next_number_ = 0;
  bool ever_connected_ = false;
  bool lost_session_ = false;
};

TEST(Crash, EveryAcknowledgedMessageIsARowAndQos2IsThereOnce) {
  HubProcess hub{{}};
  std::vector<std::unique_ptr<Device>> devices;
  for (int i = 0; i < 6; ++i) devices.push_back(std::make_unique<Device>("d" + std::to_string(i)));

  constexpr int kKills = 4;
  for (int round = 0; round <= kKills; ++round) {
    std::atomic<bool> stop = false;
    // However this scope is left, the devices end.
    struct Threads : std::vector<std::thread> {
      explicit Threads(std::atomic<bool>& stop) : stop_(stop) {}
      ~Threads() {
        stop_ = true;
        join();
      }
      void join() {
        for (std::thread& thread : *this) thread.join();
        clear();
      }
      std::atomic<bool>& stop_;
    } threads{stop};
    for (const auto& device : devices) {
      threads.emplace_back([&, port = hub.port()] { device->run(port, stop); });
    }
    // Under load: some thousand rows more than before.
    const long before = std::stol(hub.query("select count(*) from telemetry"));
    ASSERT_TRUE(eventually(
        [&] { return std::stol(hub.query("select count(*) from telemetry")) > before + 2'000; }));
    if (round < kKills) {
      hub.kill();
    } else {
      stop = true;
    }
    threads.join();
    if (round < kKills) hub.start();
  }
  for (const auto& device : devices) {
    EXPECT_FALSE(device->lost_session()) << device->id();
    EXPECT_GT(device->acknowledged().size(), 0u);
    const std::string rows =
        hub.query("select distinct (payload->>'n')::int from telemetry where device = '" +
                  device->id() + "'");
    std::set<int> stored;
    for (std::size_t at = 0; at < rows.size(); at = rows.find('\n', at) + 1) {
      stored.insert(std::stoi(rows.substr(at)));
      if (rows.find('\n', at) == std::string::npos) break;
    }
    for (const int number : device->acknowledged()) {
      ASSERT_TRUE(stored.contains(number)) << device->id() << " message " << number;
    }
  }
  EXPECT_EQ(hub.query("select device, payload->>'n', count(*) from telemetry "
                      "where payload->>'q' = '2' group by 1, 2 having count(*) > 1"),
            "");
}

}  // namespace
}  // namespace hub::test
