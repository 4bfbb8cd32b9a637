#pragma once

#include <array>
#include <cstdint>
#include <string>

struct sockaddr_storage;

namespace hub::broker {

// Who is at the other end of a connection, as accept() told it: 20 bytes.
class PeerAddress {
 public:
  // Nobody that has an address: a Unix socket's peer.
  PeerAddress() = default;
  explicit PeerAddress(const sockaddr_storage& address);

  // "127.0.0.1:40112", "[::1]:40112", "a local client".
  [[nodiscard]] std::string to_string() const;

 private:
  enum class Family : std::uint8_t { local, v4, v6 };

  std::array<std::uint8_t, 16> bytes_{};  // in network order; of v4, the first four
  std::uint16_t port_ = 0;
  Family family_ = Family::local;
};

}  // namespace hub::broker
