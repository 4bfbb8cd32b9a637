#include "hub/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <stdexcept>

#include "hub/command_line.h"
#include "hub/control_socket.h"

namespace hub {
namespace {

// https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4.
class Writer {
 public:
  enum class Kind : std::uint8_t { counter, gauge };

  void family(std::string_view name, Kind kind) {
    name_ = name;
    fmt::format_to(std::back_inserter(out_), "# TYPE {} {}\n", name,
                   kind == Kind::counter ? "counter" : "gauge");
  }
  void sample(std::string_view labels, std::int64_t value) {
    fmt::format_to(std::back_inserter(out_), "{}{} {}\n", name_, labels, value);
  }
  void lone(std::string_view name, Kind kind, std::int64_t value) {
    family(name, kind);
    sample("", value);
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  std::string name_;
  std::string out_;
};

std::string escaped(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

void write_rules(Writer& out, const HubReport& report) {
  const auto rules = report.rules();
  out.family("iothub_rule_messages_total", Writer::Kind::counter);
  for (const auto& account : rules) {
    // What is durable as it ended, and what needs not be durable.
    storage::LedgerCounts counts = account.taken;
    counts.committed = account.booked.committed;
    counts.dead_lettered = account.booked.dead_lettered;
    counts.for_each([&](std::string_view name, std::int64_t value) {
      out.sample(fmt::format("{{rule=\"{}\",state=\"{}\"}}", escaped(account.rule), name), value);
    });
  }
  out.family("iothub_rule_messages_pending", Writer::Kind::gauge);
  for (const auto& account : rules) {
    out.sample(fmt::format("{{rule=\"{}\"}}", escaped(account.rule)), account.pending());
  }
  out.family("iothub_rule_rows_total", Writer::Kind::counter);
  for (const auto& account : rules) {
    const std::string rule = escaped(account.rule);
    out.sample(fmt::format("{{rule=\"{}\",state=\"new\"}}", rule), account.rows.rows);
    out.sample(fmt::format("{{rule=\"{}\",state=\"duplicate\"}}", rule), account.rows.duplicates);
  }
}

void write_spool(Writer& out, const HubReport& report) {
  using Kind = Writer::Kind;
  const auto lone = [&](std::string_view name, Kind kind, std::uint64_t value) {
    out.lone(name, kind, static_cast<std::int64_t>(value));
  };
  const storage::Spooled waiting = report.spooled();
  lone("iothub_spool_batches", Kind::gauge, waiting.records);
  lone("iothub_spool_messages", Kind::gauge, waiting.messages);
  lone("iothub_spool_bytes", Kind::gauge, waiting.bytes);
  lone("iothub_spool_disk_bytes", Kind::gauge, report.spool->bytes_on_disk);
  lone("iothub_spool_size_bytes", Kind::gauge, report.spool->size_bytes);
  lone("iothub_spool_syncs_total", Kind::counter, report.spool->syncs);
  lone("iothub_spool_refusing_shards", Kind::gauge,
       static_cast<std::uint64_t>(
           std::count_if(report.shards.begin(), report.shards.end(),
                         [](const HubReport::Shard& shard) { return shard.sink.spool_refuses; })));
}

}  // namespace

std::string write_metrics(const HubReport& report) {
  using Kind = Writer::Kind;
  Writer out;
  out.lone("iothub_uptime_seconds", Kind::gauge, report.uptime_seconds);
  out.lone("iothub_connections", Kind::gauge, static_cast<std::int64_t>(report.broker.connections));
  out.lone("iothub_sessions", Kind::gauge, static_cast<std::int64_t>(report.broker.sessions));
  out.lone("iothub_parked_bytes", Kind::gauge,
           static_cast<std::int64_t>(report.broker.parked_bytes));
  if (const auto expiry = report.broker.tls_expires_at) {
    out.lone("iothub_tls_certificate_expiry_timestamp_seconds", Kind::gauge,
             std::chrono::duration_cast<std::chrono::seconds>(expiry->time_since_epoch()).count());
  }
  report.broker.counters.for_each([&](std::string_view name, std::uint64_t value) {
    out.lone(fmt::format("iothub_broker_{}_total", name), Kind::counter,
             static_cast<std::int64_t>(value));
  });
  if (!report.shards.empty()) {
    const auto& names = report.shards.front().writer;
    for (std::size_t i = 0; i < names.size(); ++i) {
      out.family(fmt::format("iothub_writer_{}_total", names[i].first), Kind::counter);
      for (std::size_t shard = 0; shard < report.shards.size(); ++shard) {
        out.sample(fmt::format("{{shard=\"{}\"}}", shard),
                   static_cast<std::int64_t>(report.shards[shard].writer[i].second));
      }
    }
  }
  std::int64_t held = 0;
  std::int64_t congested = 0;
  std::int64_t republished = 0;
  for (const auto& shard : report.shards) {
    held += static_cast<std::int64_t>(shard.sink.held_bytes);
    congested += shard.sink.congested ? 1 : 0;
    republished += static_cast<std::int64_t>(shard.sink.republished);
  }
  out.lone("iothub_writer_held_bytes", Kind::gauge, held);
  out.lone("iothub_writer_congested_shards", Kind::gauge, congested);
  out.lone("iothub_republished_total", Kind::counter, republished);
  if (report.spool) write_spool(out, report);
  write_rules(out, report);
  return out.take();
}

int run_metrics_command(const Config& config, std::ostream& out) {
  const auto answer = ask_hub(config.data_dir, "metrics");
  if (!answer) {
    throw std::runtime_error(
        fmt::format("no hub runs on {}", std::filesystem::absolute(config.data_dir).string()));
  }
  out << *answer;
  return kSuccess;
}

}  // namespace hub
