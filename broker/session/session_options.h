#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace hub::broker {

// The bounds of what clients may do in their sessions; docs/configuration.md explains each.
struct SessionOptions {
  std::uint32_t max_packet_bytes = 1u << 20;  // of a packet that a client sends
  std::uint16_t receive_maximum = 1'000;      // QoS 1 and 2 publishes of a client without answer
  std::size_t max_client_id_bytes = 1'024;    // it has to fit into the database's indexes
  std::size_t max_sessions = 1'000'000;       // per shard, connected or not
  std::uint16_t max_inflight = 1'000;         // QoS 1 and 2 deliveries to a client without answer
  std::size_t max_queued_messages = 1'000;    // per session
  std::size_t max_queued_bytes = 8u << 20;    // per session
  std::size_t max_outbound_bytes = 4u << 20;  // not yet taken by a client's socket
  std::size_t max_subscriptions = 1'000;      // per session
  std::size_t max_filter_levels = 128;        // of a subscription's topic filter
  std::size_t max_filter_bytes = 4'096;       // likewise
  // Of a session's publishes that wait to become durable.
  std::size_t max_held_bytes = std::size_t{16} << 20;
  std::chrono::seconds session_expiry_max{7 * 24 * 3600};
};

}  // namespace hub::broker
