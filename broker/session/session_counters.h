#pragma once

#include <cstdint>

namespace hub::broker {

// What clients did in their sessions on one shard, since the start; broker/counters.h adds the
// rest. Each way in which a message is not delivered has a counter of its own.
#define HUB_SESSION_COUNTERS(X) \
  X(connections_refused)        \
  X(sessions_taken_over)        \
  X(sessions_expired)           \
  X(keep_alive_timeouts)        \
  X(malformed_packets)          \
  X(protocol_errors)            \
  X(packets_received)           \
  X(publishes_received)         \
  X(publish_bytes_received)     \
  X(publishes_duplicate)        \
  X(publishes_refused)          \
  X(publishes_over_quota)       \
  X(publishes_over_daily_cap)   \
  X(subscriptions_refused)      \
  X(acknowledgements_sent)      \
  X(deliveries_sent)            \
  X(dropped_slow_subscriber)    \
  X(dropped_queue_full)         \
  X(dropped_expired)            \
  X(dropped_too_large)          \
  X(dropped_session_ended)

struct SessionCounters {
#define HUB_COUNTER(name) std::uint64_t name = 0;
  HUB_SESSION_COUNTERS(HUB_COUNTER)
#undef HUB_COUNTER
};

}  // namespace hub::broker
