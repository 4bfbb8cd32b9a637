#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file_descriptor.h"

namespace hub::broker {

// Listening sockets on one TCP address, one per shard: the kernel spreads connections over them.
struct Listeners {
  std::vector<FileDescriptor> sockets;
  std::uint16_t port = 0;  // the one that was picked when 0 was asked for
};

// address: an IPv4 or IPv6 address, not a name. Throws std::runtime_error with what to do when it
// cannot be listened on, also when another process of the same user already does.
[[nodiscard]] Listeners listen_on(const std::string& address, std::uint16_t port,
                                  std::uint32_t count);

}  // namespace hub::broker
