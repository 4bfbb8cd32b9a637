// WebSocket through a running broker: what a burst gets, and what one costs that reads nothing.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/file_descriptor.h"
#include "broker/broker.h"
#include "tests/broker/no_sink.h"
#include "tests/support/mqtt_client_codec.h"
#include "tests/support/program.h"
#include "tests/support/websocket_client_codec.h"

namespace hub::broker {
namespace {

using websocket::client::decode_frames;
using websocket::client::encode;
using websocket::client::Frame;
using websocket::client::Opcode;

// A client of a WebSocket over a socket that never blocks for longer than a bound.
class WebSocketClient {
 public:
  explicit WebSocketClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("cannot connect");
    send(websocket::client::Request{}.text());
    while (received_.find("\r\n\r\n") == std::string::npos) receive_some();
    received_.erase(0, received_.find("\r\n\r\n") + 4);
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t sent = send_some(bytes, kPatience);
      if (sent == 0) throw std::runtime_error("the broker does not read");
      bytes.remove_prefix(sent);
    }
  }
  // What the socket takes in that time; 0: nothing.
  std::size_t send_some(std::string_view bytes, int milliseconds) {
    pollfd ready{socket_.get(), POLLOUT, 0};
    if (::poll(&ready, 1, milliseconds) != 1) return 0;
    const ssize_t n =
        ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  // The payloads of binary frames, one after the other, once there are so many bytes of them.
  std::string receive(std::size_t bytes) {
    for (;;) {
      std::string payload;
      if (const auto frames = decode_frames(received_)) {
        for (const Frame& frame : *frames) {
          if (frame.opcode == Opcode::binary) payload += frame.payload;
        }
      }
      if (payload.size() >= bytes) return payload;
      receive_some();
    }
  }
  // True once nothing more comes for a while.
  bool drain() {
    while (pollable(500)) {
      char buffer[65'536];
      if (::recv(socket_.get(), buffer, sizeof buffer, 0) <= 0) return false;
    }
    return true;
  }
  void forget() { received_.clear(); }

 private:
  static constexpr int kPatience = 20'000;

  bool pollable(int milliseconds) {
    pollfd ready{socket_.get(), POLLIN, 0};
    return ::poll(&ready, 1, milliseconds) == 1;
  }
  void receive_some() {
    char buffer[65'536];
    if (!pollable(kPatience)) throw std::runtime_error("the broker says nothing");
    const ssize_t n = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    if (n <= 0) throw std::runtime_error("the broker has closed");
    received_.append(buffer, static_cast<std::size_t>(n));
  }

  FileDescriptor socket_;
  std::string received_;
};

class WebSocketListener : public testing::Test {
 protected:
  static ListenerOptions listener() {
    ListenerOptions options;
    options.websocket.emplace();
    return options;
  }
  static std::string frame(std::string payload) { return encode({.payload = std::move(payload)}); }
  static std::string connect(const char* client_id) {
    return frame(mqtt::client::encode(mqtt::client::Connect{.client_id = client_id}));
  }
  static std::string publish(std::uint16_t id) {
    return mqtt::client::encode(mqtt::client::Publish{.topic = "a/b",
                                                      .payload = std::string(100, 'x'),
                                                      .qos = Qos::at_least_once,
                                                      .packet_id = id});
  }

  Broker broker{Options{}, 2,
                [](std::uint32_t, boost::asio::io_context&, SinkListener&) {
                  return std::make_unique<NoSink>();
                },
                Broker::StoredSessions{}};
  const std::uint16_t port = broker.listen(listener());
};

TEST_F(WebSocketListener, AnswersEachOfABurstHoweverItIsFramed) {
  constexpr std::uint16_t kMessages = 500;
  constexpr std::size_t kPuback = 4;
  for (const std::size_t at_once : {std::size_t{1}, std::size_t{7}, std::size_t{5'000}}) {
    WebSocketClient client{port};
    client.send(connect("burst"));
    const std::size_t connack = client.receive(1).size();
    std::string packets;
    for (std::uint16_t id = 1; id <= kMessages; ++id) packets += publish(id);
    std::string frames;
    const std::size_t piece = at_once == 1 ? packets.size() : at_once;
    for (std::size_t at = 0; at < packets.size(); at += piece) {
      frames += frame(packets.substr(at, piece));
    }
    client.send(frames);
    EXPECT_EQ(client.receive(connack + kMessages * kPuback).size(), connack + kMessages * kPuback);
  }
}

TEST_F(WebSocketListener, ReadsNoMorePingsOfWhoeverReadsNoPong) {
  constexpr std::size_t kFar = std::size_t{64} << 20;
  std::string pings;
  for (int i = 0; i < 500; ++i) {
    pings += encode({.opcode = Opcode::ping, .payload = std::string(125, 'p')});
  }
  for (const bool is_connected : {false, true}) {
    WebSocketClient client{port};
    if (is_connected) {
      client.send(connect("silent"));
      (void)client.receive(1);
    }
    std::size_t sent = 0;
    std::size_t at = 0;
    while (sent < kFar) {
      const std::size_t n = client.send_some(std::string_view{pings}.substr(at), 1'000);
      if (n == 0) break;
      sent += n;
      at = (at + n) % pings.size();
    }
    EXPECT_LT(sent, kFar) << "it was read on and on";
    if (!is_connected) continue;
    // Once it reads, all goes on.
    ASSERT_TRUE(client.drain());
    client.send(std::string_view{pings}.substr(at));
    ASSERT_TRUE(client.drain());
    client.send(frame(publish(1)));
    EXPECT_GE(client.receive(4).size(), 4u);
  }
}

}  // namespace
}  // namespace hub::broker
