#pragma once

#include <chrono>
#include <cstddef>

#include "broker/session/session_options.h"

namespace hub::broker {

// The bounds of the broker; docs/configuration.md explains each. One copy per shard.
struct Options : SessionOptions {
  std::size_t max_connections = 100'000;  // of all shards together
  std::size_t max_retained_messages = 1'000'000;
  std::size_t max_retained_bytes = std::size_t{256} << 20;
  std::chrono::seconds connect_timeout{10};  // from accept to CONNECT
  std::chrono::milliseconds linger{2'000};   // for a client to read the last packet and to close
};

}  // namespace hub::broker
