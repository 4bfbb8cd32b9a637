#include "bench/load/counters.h"

#include <algorithm>

namespace hub::bench {

Counters& Counters::operator+=(const Counters& other) {
  connected += other.connected;
  published += other.published;
  acked += other.acked;
  delivered += other.delivered;
  out_of_order_acks += other.out_of_order_acks;
  unexpected_acks += other.unexpected_acks;
  unanswered += other.unanswered;
  undelivered += other.undelivered;
  duplicates += other.duplicates;
  misrouted += other.misrouted;
  for (const auto& [name, count] : other.errors) errors[name] += count;
  granted_window = std::min(granted_window, other.granted_window);
  sums += other.sums;
  latency.merge(other.latency);
  send_lag.merge(other.send_lag);
  return *this;
}

bool Counters::all_right() const {
  return out_of_order_acks == 0 && unexpected_acks == 0 && unanswered == 0 && undelivered == 0 &&
         duplicates == 0 && misrouted == 0 && errors.empty();
}

}  // namespace hub::bench
