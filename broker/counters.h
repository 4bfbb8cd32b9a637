#pragma once

#include <cstdint>

namespace hub::broker {

// What happened on one shard since the start. Each way in which a message is not delivered has a
// counter of its own. Written by the shard's thread alone; read there too (Broker::counters()).
#define HUB_BROKER_COUNTERS(X) \
  X(connections_accepted)      \
  X(connections_refused)       \
  X(connections_closed)        \
  X(sessions_taken_over)       \
  X(sessions_expired)          \
  X(keep_alive_timeouts)       \
  X(malformed_packets)         \
  X(protocol_errors)           \
  X(packets_received)          \
  X(publishes_received)        \
  X(publish_bytes_received)    \
  X(publishes_duplicate)       \
  X(publishes_refused)         \
  X(publishes_over_quota)      \
  X(publishes_over_daily_cap)  \
  X(publishers_stopped)        \
  X(subscriptions_refused)     \
  X(acknowledgements_sent)     \
  X(deliveries_sent)           \
  X(dropped_slow_subscriber)   \
  X(dropped_queue_full)        \
  X(dropped_expired)           \
  X(dropped_too_large)         \
  X(dropped_session_ended)     \
  X(dropped_republish_depth)   \
  X(dropped_retained_full)

struct Counters {
#define HUB_COUNTER(name) std::uint64_t name = 0;
  HUB_BROKER_COUNTERS(HUB_COUNTER)
#undef HUB_COUNTER

  Counters& operator+=(const Counters& other) {
#define HUB_COUNTER(name) name += other.name;
    HUB_BROKER_COUNTERS(HUB_COUNTER)
#undef HUB_COUNTER
    return *this;
  }

  // Calls f(name, value) for each, in the order above.
  template <class F>
  void for_each(F f) const {
#define HUB_COUNTER(name) f(#name, name);
    HUB_BROKER_COUNTERS(HUB_COUNTER)
#undef HUB_COUNTER
  }
};

}  // namespace hub::broker
