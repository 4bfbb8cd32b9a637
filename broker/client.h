#pragma once

#include <utility>

#include "base/steady_time.h"
#include "broker/session/channel.h"
#include "broker/transport/connection.h"

namespace hub::broker {

// A connected client of a shard: its connection, and what that is in the protocol's terms.
struct Client {
  explicit Client(Connection accepted) : connection(std::move(accepted)) {}

  Connection connection;
  Channel channel;
  SteadyTime deadline;  // CONNECT is due, or the linger ends
};

}  // namespace hub::broker
