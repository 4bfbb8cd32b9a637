#include "broker/transport/peer_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

namespace hub::broker {

PeerAddress::PeerAddress(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    std::memcpy(bytes_.data(), &v6.sin6_addr, sizeof v6.sin6_addr);
    port_ = ntohs(v6.sin6_port);
    family_ = Family::v6;
  } else if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    std::memcpy(bytes_.data(), &v4.sin_addr, sizeof v4.sin_addr);
    port_ = ntohs(v4.sin_port);
    family_ = Family::v4;
  }
}

std::string PeerAddress::to_string() const {
  if (family_ == Family::local) return "a local client";
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(family_ == Family::v6 ? AF_INET6 : AF_INET, bytes_.data(), text, sizeof text);
  return fmt::format(fmt::runtime(family_ == Family::v6 ? "[{}]:{}" : "{}:{}"), text, port_);
}

}  // namespace hub::broker
