#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/load/packets.h"

namespace hub::bench {

// What a scripted broker does wrong. Messages are counted from 1 over all connections.
struct Faults {
  std::uint8_t connect_reason = 0;   // of every CONNACK
  std::uint64_t unacknowledged = 0;  // this message gets no PUBACK
  std::uint64_t refused = 0;         // this one PUBACK 0x97 (MQTT 5)
  std::uint64_t acknowledged_twice = 0;
  std::uint64_t acknowledged_late = 0;  // after the one that follows it
  std::uint64_t undelivered = 0;
  std::uint64_t delivered_twice = 0;
  std::uint64_t delivered_to_all = 0;  // also to who has not subscribed to its topic
  std::uint64_t closes_after = 0;      // the connection ends instead of an answer
};

// A broker in a thread of its own that answers as it should, except for the faults that it is told
// to make: what the load generator has to notice. Filters without wildcards; QoS 0 and 1.
class ScriptedBroker {
 public:
  explicit ScriptedBroker(MqttVersion version, Faults faults = {});
  ~ScriptedBroker();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  // Messages that came before the SUBACK of so many subscriptions had been sent.
  [[nodiscard]] std::uint64_t early_messages() const { return early_messages_; }
  void expect_subscriptions(std::uint64_t count) { subscriptions_to_come_ = count; }

 private:
  struct Connection {
    explicit Connection(boost::asio::ip::tcp::socket accepted) : socket(std::move(accepted)) {}

    boost::asio::ip::tcp::socket socket;
    std::string filter;
    std::string received;
    std::string held_ack;
    std::vector<char> buffer = std::vector<char>(1 << 16);
  };
  using ConnectionPtr = std::shared_ptr<Connection>;

  void accept();
  void read(const ConnectionPtr& connection);
  void answer(Connection& connection, const Packet& packet);
  void acknowledge(Connection& connection, std::uint16_t packet_id);
  void deliver(const Delivery& delivery, std::string_view body, std::uint8_t flags);
  static void write(Connection& connection, const std::string& bytes);

  MqttVersion version_;
  Faults faults_;
  boost::asio::io_context context_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::uint16_t port_;
  std::vector<ConnectionPtr> connections_;
  std::uint64_t messages_ = 0;
  std::atomic<std::uint64_t> subscriptions_to_come_{0};
  std::atomic<std::uint64_t> early_messages_{0};
  std::jthread thread_;
};

}  // namespace hub::bench
