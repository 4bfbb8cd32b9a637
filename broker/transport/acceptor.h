#pragma once

#include <functional>

#include "broker/transport/connection_count.h"
#include "broker/transport/listener.h"
#include "broker/transport/transport.h"

namespace hub::broker {

// Takes the connections that wait at one listening socket. A shard's.
class Acceptor {
 public:
  // open_connections: of all shards; outlives the acceptor.
  Acceptor(ListeningSocket listener, ConnectionCount& open_connections)
      : listener_(std::move(listener)), open_connections_(open_connections) {}

  struct Result {
    std::size_t accepted = 0;  // those that were refused among them
    std::size_t refused = 0;   // over the bound of open connections, or for want of descriptors
  };
  // Calls `take` with each that may stay, some dozens at most; those are counted as open.
  Result accept(const std::function<void(Transport)>& take);

  [[nodiscard]] int descriptor() const noexcept { return listener_.socket.get(); }

 private:
  ListeningSocket listener_;
  ConnectionCount& open_connections_;
};

}  // namespace hub::broker
