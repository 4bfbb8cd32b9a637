#include "tests/bench/scripted_broker.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace hub::bench {
namespace asio = boost::asio;
using asio::ip::tcp;

ScriptedBroker::ScriptedBroker(MqttVersion version, Faults faults)
    : version_(version),
      faults_(faults),
      acceptor_(context_, tcp::endpoint{asio::ip::address_v4::loopback(), 0}),
      port_(acceptor_.local_endpoint().port()) {
  accept();
  thread_ = std::jthread([this] { context_.run(); });
}

ScriptedBroker::~ScriptedBroker() { context_.stop(); }

void ScriptedBroker::accept() {
  acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
    if (error) return;
    connections_.push_back(std::make_shared<Connection>(std::move(socket)));
    read(connections_.back());
    accept();
  });
}

void ScriptedBroker::read(const ConnectionPtr& connection) {
  connection->socket.async_read_some(
      asio::buffer(connection->buffer),
      [this, connection](const boost::system::error_code& error, std::size_t bytes) {
        if (error) return;
        connection->received.append(connection->buffer.data(), bytes);
        PacketScanner packets{connection->received};
        Packet packet;
        while (connection->socket.is_open() && packets.next(packet)) answer(*connection, packet);
        connection->received = std::string{packets.rest()};
        if (connection->socket.is_open()) read(connection);
      });
}

void ScriptedBroker::answer(Connection& connection, const Packet& packet) {
  const bool v5 = version_ == MqttVersion::v5;
  switch (packet.type) {
    case PacketType::connect:
      write(connection, std::string(v5 ? "\x20\x03" : "\x20\x02", 2) + '\0' +
                            static_cast<char>(faults_.connect_reason) +
                            (v5 ? std::string(1, '\0') : std::string{}));
      break;
    case PacketType::subscribe: {
      const std::size_t properties = v5 ? 1 : 0;
      connection.filter = std::string{packet.body.substr(4 + properties)};
      connection.filter.pop_back();  // the options
      write(connection, std::string(v5 ? "\x90\x04" : "\x90\x03", 2) +
                            std::string{packet.body.substr(0, 2)} +
                            (v5 ? std::string(1, '\0') : std::string{}) + '\1');
      if (subscriptions_to_come_ > 0) --subscriptions_to_come_;
      break;
    }
    case PacketType::publish: {
      ++messages_;
      if (subscriptions_to_come_ > 0) ++early_messages_;
      if (messages_ == faults_.closes_after) {
        connection.socket.close();
        return;
      }
      const auto delivery = parse_delivery(packet, version_);
      if (delivery->qos > 0) acknowledge(connection, delivery->packet_id);
      deliver(*delivery, packet.body, packet.flags);
      break;
    }
    case PacketType::pingreq:
      write(connection, std::string("\xD0\x00", 2));
      break;
    default:
      break;
  }
}

void ScriptedBroker::acknowledge(Connection& connection, std::uint16_t packet_id) {
  std::string ack;
  if (messages_ == faults_.unacknowledged) return;
  if (messages_ == faults_.refused) {
    ack = std::string("\x40\x03", 2) + static_cast<char>(packet_id >> 8) +
          static_cast<char>(packet_id & 0xFF) + '\x97';
  } else {
    append_ack(ack, PacketType::puback, packet_id);
  }
  if (messages_ == faults_.acknowledged_late) {
    connection.held_ack = ack;
    return;
  }
  if (messages_ == faults_.acknowledged_twice) ack += ack;
  write(connection, ack + std::exchange(connection.held_ack, {}));
}

void ScriptedBroker::deliver(const Delivery& delivery, std::string_view body, std::uint8_t flags) {
  if (messages_ == faults_.undelivered) return;
  std::string packet(1, static_cast<char>(0x30 | flags));
  append_remaining_length(packet, body.size());
  packet += body;
  if (messages_ == faults_.delivered_twice) packet += packet;
  for (const ConnectionPtr& connection : connections_) {
    const bool wanted = connection->filter == delivery.topic;
    const bool forced = messages_ == faults_.delivered_to_all && !connection->filter.empty();
    if (wanted || forced) write(*connection, packet);
  }
}

void ScriptedBroker::write(Connection& connection, const std::string& bytes) {
  boost::system::error_code ignored;  // the other end may be gone, which its read notices
  asio::write(connection.socket, asio::buffer(bytes), ignored);
}

}  // namespace hub::bench
