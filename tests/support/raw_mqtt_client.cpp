#include "tests/support/raw_mqtt_client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "broker/mqtt/framer.h"

namespace hub::test {

namespace client = mqtt::client;
using mqtt::PacketType;

namespace {

template <class T>
T must(mqtt::DecodeResult<T> result) {
  if (!result)
    throw std::runtime_error(
        fmt::format("the hub sent bytes that are no packet: {}", result.error().what));
  return std::move(*result);
}

}  // namespace

RawMqttClient::RawMqttClient(std::uint16_t port, mqtt::ProtocolVersion version)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), version_(version) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error(fmt::format("connect: {}", std::strerror(errno)));
  }
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const timeval patience{kPatience.count(), 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

void RawMqttClient::vanish_with_a_reset() {
  const linger none{1, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
  socket_.reset();
}

void RawMqttClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0) throw std::runtime_error(fmt::format("send: {}", std::strerror(errno)));
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

RawMqttClient::Fill RawMqttClient::fill(std::chrono::steady_clock::time_point until) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      until - std::chrono::steady_clock::now());
  pollfd ready{socket_.get(), POLLIN, 0};
  if (::poll(&ready, 1, std::max(0, static_cast<int>(left.count()))) <= 0) return Fill::nothing;
  char buffer[64 * 1024];
  const ssize_t n = ::recv(socket_.get(), buffer, sizeof buffer, 0);
  if (n <= 0) return Fill::closed;
  received_.append(buffer, static_cast<std::size_t>(n));
  return Fill::bytes;
}

std::optional<RawMqttClient::Packet> RawMqttClient::receive_within(
    std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const mqtt::FrameHeader frame = mqtt::peek_frame(received_, mqtt::kMaxPacketBytes, version_);
    if (frame.state == mqtt::FrameState::complete) {
      Packet packet{frame.type, frame.flags,
                    received_.substr(frame.header_bytes, frame.body_bytes)};
      received_.erase(0, frame.packet_bytes());
      return packet;
    }
    if (frame.state == mqtt::FrameState::malformed) {
      throw std::runtime_error("the hub sent bytes that are no packet");
    }
    const Fill filled = fill(until);
    if (filled == Fill::nothing) return std::nullopt;
    if (filled == Fill::closed) throw std::runtime_error("the hub closed the connection");
  }
}

RawMqttClient::Packet RawMqttClient::receive(std::chrono::milliseconds patience) {
  std::optional<Packet> packet = receive_within(patience);
  if (!packet) throw std::runtime_error("nothing came from the hub in time");
  return *std::move(packet);
}

RawMqttClient::Packet RawMqttClient::expect(PacketType type) {
  Packet packet = receive();
  if (packet.type != type) {
    throw std::runtime_error(fmt::format("expected packet type {}, got {}", static_cast<int>(type),
                                         static_cast<int>(packet.type)));
  }
  return packet;
}

client::ReceivedPublish RawMqttClient::expect_publish() {
  const Packet packet = expect(PacketType::publish);
  return must(client::decode_publish(version_, packet.flags, packet.body));
}

std::uint8_t RawMqttClient::expect_ack(PacketType type, std::uint16_t packet_id) {
  const client::Ack ack = must(client::decode_ack(version_, expect(type).body));
  if (ack.packet_id != packet_id) {
    throw std::runtime_error(
        fmt::format("expected an acknowledgement of {}, got {}", packet_id, ack.packet_id));
  }
  return static_cast<std::uint8_t>(ack.reason);
}

std::uint8_t RawMqttClient::expect_disconnect() {
  return static_cast<std::uint8_t>(
      must(client::decode_disconnect(expect(PacketType::disconnect).body)).reason);
}

bool RawMqttClient::closed() {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (received_.empty()) {
    switch (fill(until)) {
      case Fill::bytes:
        break;
      case Fill::closed:
        return true;
      case Fill::nothing:
        throw std::runtime_error("the hub neither spoke nor closed the connection in time");
    }
  }
  return false;
}

bool RawMqttClient::quiet() {
  send(client::encode_pingreq());
  bool quiet = true;
  while (receive().type != PacketType::pingresp) quiet = false;
  return quiet;
}

client::Connack RawMqttClient::connect(const client::Connect& connect) {
  send(client::encode(connect));
  return must(client::decode_connack(version_, expect(PacketType::connack).body));
}

client::Connack RawMqttClient::connect(std::string_view client_id, bool clean_start,
                                       std::uint32_t session_expiry) {
  client::Connect connect{.version = version_, .client_id = std::string{client_id}};
  connect.clean_start = clean_start;
  if (version_ == mqtt::ProtocolVersion::v5 && session_expiry != 0) {
    connect.properties.u32(mqtt::PropertyId::session_expiry_interval, session_expiry);
  }
  return this->connect(connect);
}

void RawMqttClient::publish(std::string_view topic, std::string_view payload, Qos qos,
                            std::uint16_t packet_id, bool dup, bool retain) {
  send(client::encode(client::Publish{.version = version_,
                                      .topic = std::string{topic},
                                      .payload = std::string{payload},
                                      .qos = qos,
                                      .packet_id = packet_id,
                                      .dup = dup,
                                      .retain = retain}));
}

void RawMqttClient::subscribe(std::string_view filter, Qos qos, std::uint16_t packet_id) {
  send(client::encode(client::Subscribe{.version = version_,
                                        .packet_id = packet_id,
                                        .filters = {{std::string{filter}, {.qos = qos}}}}));
  const client::Suback suback =
      must(client::decode_suback(version_, expect(PacketType::suback).body));
  if (suback.codes.size() != 1 || mqtt::is_failure(suback.codes[0])) {
    throw std::runtime_error("the subscription was refused");
  }
}

}  // namespace hub::test
