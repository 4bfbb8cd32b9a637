#pragma once

#include <cstdint>

#include "broker/session/session_counters.h"

namespace hub::broker {

// What happened on one shard since the start. Written by the shard's thread alone; read there too
// (Broker::totals()).
// transports_failed: handshakes and streams of TLS or WebSocket that broke a rule.
// publishers_stopped: times that one had to wait for storage.
#define HUB_SHARD_COUNTERS(X) \
  X(connections_accepted)     \
  X(connections_closed)       \
  X(transports_failed)        \
  X(publishers_stopped)       \
  X(dropped_republish_depth)  \
  X(dropped_retained_full)
#define HUB_BROKER_COUNTERS(X) HUB_SHARD_COUNTERS(X) HUB_SESSION_COUNTERS(X)

struct Counters : SessionCounters {
#define HUB_COUNTER(name) std::uint64_t name = 0;
  HUB_SHARD_COUNTERS(HUB_COUNTER)
#undef HUB_COUNTER

  Counters& operator+=(const Counters& other) {
#define HUB_COUNTER(name) name += other.name;
    HUB_BROKER_COUNTERS(HUB_COUNTER)
#undef HUB_COUNTER
    return *this;
  }

  // Calls f(name, value) for each.
  template <class F>
  void for_each(F f) const {
#define HUB_COUNTER(name) f(#name, name);
    HUB_BROKER_COUNTERS(HUB_COUNTER)
#undef HUB_COUNTER
  }
};

}  // namespace hub::broker
