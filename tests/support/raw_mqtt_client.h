#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/file_descriptor.h"
#include "tests/support/mqtt_client_codec.h"

namespace hub::test {

// A client of plain blocking sockets that sends what the test says, right or wrong, and shows what
// comes back, packet by packet. Every wait is bounded; running out of it throws std::runtime_error.
class RawMqttClient {
 public:
  static constexpr std::chrono::seconds kPatience{20};

  explicit RawMqttClient(std::uint16_t port,
                         mqtt::ProtocolVersion version = mqtt::ProtocolVersion::v5);

  // Sends all of it.
  void send(std::string_view bytes);

  struct Packet {
    mqtt::PacketType type;
    std::uint8_t flags;
    std::string body;
  };
  [[nodiscard]] Packet receive(std::chrono::milliseconds patience = kPatience);
  // The next packet if one comes in time. Throws when the hub has closed the connection.
  [[nodiscard]] std::optional<Packet> receive_within(std::chrono::milliseconds patience);
  // The next packet, which must be of that type.
  [[nodiscard]] Packet expect(mqtt::PacketType type);
  [[nodiscard]] mqtt::client::ReceivedPublish expect_publish();
  // The next packet must be this acknowledgement; returns its reason code.
  std::uint8_t expect_ack(mqtt::PacketType type, std::uint16_t packet_id);
  // The next packet must be DISCONNECT; returns its reason code.
  std::uint8_t expect_disconnect();

  // True when the hub closes the connection, with no further packet, in time.
  [[nodiscard]] bool closed();
  // Sends PINGREQ and takes what comes before its answer; true when that is nothing. What was sent
  // before has then been handled.
  [[nodiscard]] bool quiet();

  // CONNECT and its answer.
  mqtt::client::Connack connect(std::string_view client_id, bool clean_start = true,
                                std::uint32_t session_expiry = 0);
  mqtt::client::Connack connect(const mqtt::client::Connect& connect);
  void publish(std::string_view topic, std::string_view payload, Qos qos, std::uint16_t packet_id,
               bool dup = false, bool retain = false);
  void subscribe(std::string_view filter, Qos qos, std::uint16_t packet_id = 1);

  // Closes the socket as a client does that loses power: no DISCONNECT.
  void vanish() { socket_.reset(); }
  // The same, so that the hub's next packet to it fails.
  void vanish_with_a_reset();

  [[nodiscard]] mqtt::ProtocolVersion version() const { return version_; }

 private:
  enum class Fill : std::uint8_t { bytes, closed, nothing };
  Fill fill(std::chrono::steady_clock::time_point until);

  FileDescriptor socket_;
  mqtt::ProtocolVersion version_;
  std::string received_;
};

}  // namespace hub::test
