#include "bench/load/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace hub::bench {
namespace {

double microseconds(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e3; }

double per_answer_us(double seconds, const Report& report) {
  return report.answered == 0 ? 0.0 : seconds * 1e6 / static_cast<double>(report.answered);
}

// The counters that make a run fail, by the names they have in both reports.
std::array<std::pair<const char*, std::uint64_t>, 6> wrong_answers(const Counters& counters) {
  return {{{"unanswered", counters.unanswered},
           {"undelivered", counters.undelivered},
           {"duplicates", counters.duplicates},
           {"misrouted", counters.misrouted},
           {"out_of_order_acks", counters.out_of_order_acks},
           {"unexpected_acks", counters.unexpected_acks}}};
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

const char* pace_name(Pace pace) {
  switch (pace) {
    case Pace::closed:
      return "closed";
    case Pace::capped:
      return "capped";
    case Pace::open:
      return "open";
  }
  return "";
}

// Percentiles that draw a curve: ever closer to 1.
std::string curve(const Histogram& histogram) {
  std::string out = "[";
  double rest = 1.0;
  for (int step = 0; step <= 24; ++step, rest *= 0.681292) {  // six steps to a factor of ten
    out += fmt::format("{}[{:.6f},{:.3f}]", step == 0 ? "" : ",", 100 * (1 - rest),
                       microseconds(histogram.quantile(1 - rest)));
    if (rest * static_cast<double>(histogram.count()) < 1) break;
  }
  return out + "]";
}

std::string latency_object(const Histogram& histogram) {
  return fmt::format(
      R"({{"count":{},"mean":{:.3f},"p50":{:.3f},"p90":{:.3f},"p99":{:.3f},"p99_9":{:.3f},"max":{:.3f},"curve":{}}})",
      histogram.count(), histogram.mean() / 1e3, microseconds(histogram.quantile(0.5)),
      microseconds(histogram.quantile(0.9)), microseconds(histogram.quantile(0.99)),
      microseconds(histogram.quantile(0.999)), microseconds(histogram.max()), curve(histogram));
}

std::string memory_object(const ProcessUsage& usage) {
  return fmt::format(R"({{"processes":{},"rss_bytes":{},"pss_bytes":{}}})", usage.processes,
                     usage.rss_bytes, usage.pss_bytes);
}

const char* unit_name(const Options& options) {
  if (options.mode == Mode::connect || options.mode == Mode::idle) return "connect";
  return options.subscribers > 0 ? "delivery" : "acknowledged message";
}

double bytes_per_connection(const Options& options, const Report& report) {
  return (static_cast<double>(report.broker_during.pss_bytes) -
          static_cast<double>(report.broker_before.pss_bytes)) /
         static_cast<double>(options.subscribers);
}

// The report for a person: a name and what there is to say of it, line by line.
class Lines {
 public:
  void add(std::string_view name, const std::string& value) {
    text_ += fmt::format("{:<16}{}\n", name, value);
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_ = "\n";
};

void add_traffic(Lines& lines, const Options& options, const Report& report) {
  const Counters& total = report.total;
  lines.add("workload",
            fmt::format("{}, QoS {}, MQTT {}, seed {}", mode_name(options.mode), options.qos,
                        options.target.version == MqttVersion::v5 ? "5.0" : "3.1.1", options.seed));
  lines.add("connections", grouped(total.connected));
  if (options.publishers > 0) {
    lines.add("published", grouped(total.published));
    lines.add("acknowledged", grouped(total.acked));
  }
  if (options.subscribers > 0 && options.mode != Mode::connect && options.mode != Mode::idle) {
    lines.add("delivered", grouped(total.delivered));
  }
  if (options.mode != Mode::idle) {
    lines.add("rate", fmt::format("{} {}/s over {:.2f} s",
                                  grouped(static_cast<std::uint64_t>(report.rate() + 0.5)),
                                  answer_name(options), report.seconds));
  }
}

void add_times(Lines& lines, const Options& options, const Report& report) {
  if (report.latency.count() > 0) {
    lines.add("latency", fmt::format("p50 {}  p90 {}  p99 {}  p99.9 {}  max {}",
                                     duration_text(report.latency.quantile(0.5)),
                                     duration_text(report.latency.quantile(0.9)),
                                     duration_text(report.latency.quantile(0.99)),
                                     duration_text(report.latency.quantile(0.999)),
                                     duration_text(report.latency.max())));
  }
  if (report.send_lag.count() > 0) {
    lines.add("own delay", fmt::format("p50 {}  p99 {}  max {} after the intended time",
                                       duration_text(report.send_lag.quantile(0.5)),
                                       duration_text(report.send_lag.quantile(0.99)),
                                       duration_text(report.send_lag.max())));
  }
  if (report.total.granted_window < options.window) {
    lines.add("window", fmt::format("{}, as the broker's receive maximum is less than {}",
                                    report.total.granted_window, options.window));
  }
}

void add_cost(Lines& lines, const Options& options, const Report& report) {
  lines.add("own CPU", fmt::format("{:.2f} s user + {:.2f} s system, {:.3f} µs per {}",
                                   report.own.user_seconds, report.own.system_seconds,
                                   per_answer_us(report.own.total(), report), unit_name(options)));
  if (options.broker_pids.empty()) return;
  lines.add("broker CPU",
            fmt::format("{:.2f} s, {:.3f} µs per {}", report.broker_cpu_seconds,
                        per_answer_us(report.broker_cpu_seconds, report), unit_name(options)));
  lines.add("broker memory",
            fmt::format("{:.1f} MiB RSS, {:.1f} MiB PSS in {} processes",
                        static_cast<double>(report.broker_during.rss_bytes) / 1048576,
                        static_cast<double>(report.broker_during.pss_bytes) / 1048576,
                        report.broker_during.processes));
  if (options.mode == Mode::idle) {
    lines.add("per connection",
              fmt::format("{:.0f} bytes PSS", bytes_per_connection(options, report)));
  }
}

void add_complaints(Lines& lines, const Counters& total) {
  for (const auto& [name, count] : wrong_answers(total)) {
    if (count > 0) lines.add("WRONG", fmt::format("{} {}", grouped(count), name));
  }
  for (const auto& [name, count] : total.errors) {
    lines.add("ERROR", fmt::format("{} × {}", grouped(count), name));
  }
}

}  // namespace

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return digits;
}

std::string duration_text(std::uint64_t nanoseconds) {
  const auto value = static_cast<double>(nanoseconds);
  if (value < 1e6) return fmt::format("{:.1f} µs", value / 1e3);
  if (value < 1e9) return fmt::format("{:.2f} ms", value / 1e6);
  return fmt::format("{:.2f} s", value / 1e9);
}

const char* answer_name(const Options& options) {
  if (options.mode == Mode::connect || options.mode == Mode::idle) return "connected";
  return options.subscribers > 0 ? "delivered" : "acknowledged";
}

std::string human_report(const Options& options, const Report& report) {
  Lines lines;
  add_traffic(lines, options, report);
  add_times(lines, options, report);
  add_cost(lines, options, report);
  add_complaints(lines, report.total);
  return lines.take();
}

std::string json_report(const Options& options, const Report& report) {
  const Counters& total = report.total;
  std::string errors;
  for (const auto& [name, count] : wrong_answers(total)) {
    errors += fmt::format("{}{}:{}", errors.empty() ? "" : ",", json_string(name), count);
  }
  std::string named;
  for (const auto& [name, count] : total.errors) {
    named += fmt::format("{}{}:{}", named.empty() ? "" : ",", json_string(name), count);
  }
  std::string out = fmt::format(
      R"({{"workload":{{"mode":{},"qos":{},"mqtt":{},"publishers":{},"subscribers":{},"window":{},"pace":{},"rate":{},"messages":{},"threads":{},"topic":{},"payload":{},"seed":{}}},)",
      json_string(mode_name(options.mode)), options.qos,
      options.target.version == MqttVersion::v5 ? R"("5.0")" : R"("3.1.1")", options.publishers,
      options.subscribers, options.window, json_string(pace_name(options.pace)), options.rate,
      options.messages, options.threads, json_string(options.topic), json_string(options.payload),
      options.seed);
  out += fmt::format(
      R"("ok":{},"connected":{},"published":{},"acked":{},"delivered":{},"answer":{},"answered":{},"seconds":{:.6f},"rate":{:.3f},"window_granted":{},)",
      total.all_right(), total.connected, total.published, total.acked, total.delivered,
      json_string(answer_name(options)), report.answered, report.seconds, report.rate(),
      std::min(total.granted_window, options.window));
  out += fmt::format(
      R"("payload_sums":{{"n":{},"temp_hundredths":{},"hum_hundredths":{},"volt_hundredths":{}}},)",
      total.sums.sequence, total.sums.temperature_hundredths, total.sums.humidity_hundredths,
      total.sums.voltage_hundredths);
  out += fmt::format(R"("latency_us":{},"send_lag_us":{},)", latency_object(report.latency),
                     latency_object(report.send_lag));
  out += fmt::format(
      R"("own_cpu":{{"user_seconds":{:.6f},"system_seconds":{:.6f},"us_per_message":{:.4f}}},)",
      report.own.user_seconds, report.own.system_seconds,
      per_answer_us(report.own.total(), report));
  if (!options.broker_pids.empty()) {
    out += fmt::format(
        R"("broker":{{"cpu_seconds":{:.2f},"us_per_message":{:.4f},"before":{},"during":{}}},)",
        report.broker_cpu_seconds, per_answer_us(report.broker_cpu_seconds, report),
        memory_object(report.broker_before), memory_object(report.broker_during));
  }
  out += fmt::format(R"("wrong":{{{}}},"errors":{{{}}}}})", errors, named);
  return out + '\n';
}

}  // namespace hub::bench
