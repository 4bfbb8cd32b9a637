#pragma once

#include <string>

#include "bench/load/counters.h"
#include "bench/load/options.h"
#include "bench/load/process_usage.h"

namespace hub::bench {

// What a run found out. Rates and percentiles are of the time measured, after the warm-up; counts
// and wrong answers are of the whole run.
struct Report {
  Counters total;
  Histogram latency;
  Histogram send_lag;
  double seconds = 0;          // measured, until the last answer had come
  std::uint64_t answered = 0;  // in that time: acknowledgements, deliveries or connects
  OwnUsage own;                // in that time
  double broker_cpu_seconds = 0;
  ProcessUsage broker_before;  // no connection is open yet
  ProcessUsage broker_during;  // all are open; at the end for modes that move messages

  [[nodiscard]] double rate() const noexcept {
    return seconds > 0 ? static_cast<double>(answered) / seconds : 0.0;
  }
};

// 1234567 as "1,234,567"; nanoseconds as "12.3 µs", "4.56 ms" or "7.89 s".
[[nodiscard]] std::string grouped(std::uint64_t number);
[[nodiscard]] std::string duration_text(std::uint64_t nanoseconds);

// What `answered` counts in a mode: "acknowledged", "delivered" or "connected".
[[nodiscard]] const char* answer_name(const Options& options);

[[nodiscard]] std::string human_report(const Options& options, const Report& report);
// One JSON object, and a line feed.
[[nodiscard]] std::string json_report(const Options& options, const Report& report);

}  // namespace hub::bench
