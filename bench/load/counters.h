#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "bench/load/histogram.h"
#include "bench/load/message_source.h"

namespace hub::bench {

// What one engine counted; joined over all engines at the end.
struct Counters {
  std::uint64_t connected = 0;  // CONNACKs that accepted
  std::uint64_t published = 0;  // written to a socket, or waiting in its buffer
  std::uint64_t acked = 0;      // QoS 1: PUBACK; QoS 2: PUBCOMP; QoS 0: PINGRESP after the last one
  std::uint64_t delivered = 0;  // PUBLISH packets that reached a subscriber

  // Wrong answers. Each makes the run fail.
  std::uint64_t out_of_order_acks = 0;
  std::uint64_t unexpected_acks = 0;
  std::uint64_t unanswered = 0;   // on their way when a connection or the run ended
  std::uint64_t undelivered = 0;  // skipped in a publisher's sequence, or never came
  std::uint64_t duplicates = 0;   // came again; wrong at QoS 2, and at QoS 1 without DUP
  std::uint64_t misrouted = 0;    // reached a subscriber that did not ask for it
  std::map<std::string, std::uint64_t> errors;  // connections lost, refusals by reason, …

  std::uint16_t granted_window = 65'535;  // the smallest receive maximum of the broker
  PayloadSums sums;
  Histogram latency;   // acknowledgement, delivery or CONNACK: what the mode measures
  Histogram send_lag;  // open loop: how late this program itself was

  Counters& operator+=(const Counters& other);
  [[nodiscard]] bool all_right() const;
};

}  // namespace hub::bench
