#include "hub/serve.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/service_manager.h"
#include "broker/broker.h"
#include "hub/config.h"
#include "hub/control_socket.h"
#include "hub/database_wait.h"
#include "hub/hub_database.h"
#include "hub/hub_spool.h"
#include "hub/hub_status.h"
#include "hub/ledger_report.h"
#include "hub/maintenance.h"
#include "hub/metrics.h"
#include "hub/metrics_server.h"
#include "hub/rule_loading.h"
#include "hub/start_signals.h"
#include "hub/sys_topics.h"
#include "hub/tls_watch.h"
#include "pipeline/outage_log.h"
#include "pipeline/shard_pipeline.h"
#include "pipeline/spool_drain.h"
#include "storage/catalogue.h"
#include "storage/connector.h"
#include "storage/durability.h"
#include "storage/migration.h"
#include "storage/session_states.h"
#include "storage/usage.h"

namespace hub {
namespace {

// How long a stop may take: what is accepted commits, clients read their last packet.
constexpr std::chrono::seconds kStopGrace{20};

broker::Options broker_options(const Config& config, std::uint32_t shards) {
  const auto per_shard = [&](std::uint64_t total) {
    return static_cast<std::size_t>((total + shards - 1) / shards);
  };
  broker::Options options;
  options.max_packet_bytes = config.mqtt.max_packet_bytes;
  options.receive_maximum = config.mqtt.receive_maximum;
  options.max_connections = config.mqtt.max_connections;
  options.max_sessions = per_shard(config.mqtt.max_sessions);
  options.max_inflight = config.mqtt.max_inflight;
  options.max_filter_levels = config.mqtt.max_filter_levels;
  options.max_filter_bytes = config.mqtt.max_filter_bytes;
  options.max_held_bytes = config.mqtt.max_held_bytes;
  options.max_queued_messages = config.mqtt.max_queued_messages;
  options.max_queued_bytes = config.mqtt.max_queued_bytes;
  options.max_outbound_bytes = config.mqtt.max_outbound_bytes;
  options.max_subscriptions = config.mqtt.max_subscriptions;
  options.max_retained_messages = config.mqtt.max_retained_messages;
  options.max_retained_bytes = config.mqtt.max_retained_bytes;
  options.session_expiry_max = config.mqtt.session_expiry_max;
  options.connect_timeout = config.mqtt.connect_timeout;
  return options;
}

// What a hub takes from the database before it serves.
struct Loaded {
  std::shared_ptr<const rules::RuleSet> rules;
  broker::Broker::StoredSessions sessions;
  storage::DayUsage usage;            // with max_daily_messages
  std::vector<std::string> concerns;  // of what a commit is worth there
};

Loaded load(const Config& config, const std::string& url, const storage::Patience& patience) {
  Loaded out;
  rules::Compilation compiled = load_and_compile(config.rules, storage::PgCatalogue{url, patience});
  for (const rules::Diagnostic& problem : compiled.problems) {
    log::error("{}", rules::to_string(problem));
  }
  if (!compiled.rules) throw std::runtime_error("the rules have errors; `iothub check` shows them");
  out.rules = std::move(compiled.rules);
  std::vector<storage::TableName> tables;
  for (const rules::DumpAction* dump : out.rules->dump_actions()) {
    tables.push_back({dump->table().schema, dump->table().name});
  }
  out.concerns = storage::durability_concerns(url, tables, patience);
  storage::load_session_states(
      url, [&](StoredSession session) { out.sessions.push_back(std::move(session)); }, patience);
  // No earlier hub books any more.
  if (config.max_daily_messages > 0) out.usage = storage::usage_today(url, config.meter, patience);
  return out;
}

void require_schema(const std::string& url, const storage::Patience& patience) {
  if (const std::string problem = storage::schema_problem(url, patience); !problem.empty()) {
    throw std::runtime_error(problem);
  }
}

// Of the commands beside the hub.
std::string answer_question(std::string_view question, const HubStatus& status) {
  if (question == "ledger") return write_unbooked(status.report());
  if (question == "metrics") return write_metrics(status.report());
  return "{}";
}

storage::PgWriterOptions writer_options_of(const Config& config, std::uint32_t shards) {
  storage::PgWriterOptions options;
  options.hub_id = boost::uuids::to_string(boost::uuids::random_generator{}());
  options.limits.rows = config.storage.batch_rows;
  options.limits.bytes = config.storage.batch_bytes;
  options.limits.held_bytes = config.storage.held_bytes / shards;
  options.answer_timeout = config.storage.answer_timeout;
  options.spool_after = config.storage.spool_after;
  return options;
}

// The spool, with nothing left in it that can be read; null when the hub is to hold what the
// database does not take.
std::unique_ptr<storage::Spool> empty_spool(const Config& config, const std::string& database_url,
                                            const storage::PgWriterOptions& options) {
  auto spool = open_spool(config);
  if (!spool) return nullptr;
  drain_spool(*spool, database_url, options);
  if (config.storage.outage == Config::Outage::spool) return spool;
  const bool damaged = !spool->recovery().findings.empty();
  spool.reset();
  const std::filesystem::path directory = spool_directory(config);
  if (damaged) {
    log::warning("{} is kept, as it was damaged; the next start removes it if it finds no damage",
                 directory.string());
  } else {
    std::filesystem::remove_all(directory);
  }
  return nullptr;
}

// Null when there is no cap.
std::unique_ptr<DayAllowance> daily_allowance(const Config& config, const storage::DayUsage& used) {
  if (config.max_daily_messages == 0) return nullptr;
  return std::make_unique<DayAllowance>(static_cast<std::int64_t>(config.max_daily_messages),
                                        used.day, used.messages);
}

// A shard's. Null when nobody is billed.
std::unique_ptr<ShardUsage> make_usage(const Config& config, DayAllowance* allowance) {
  if (config.meter.empty()) return nullptr;
  return std::make_unique<ShardUsage>(
      config.meter, allowance,
      std::chrono::time_point_cast<Timestamp::duration>(std::chrono::system_clock::now()));
}

std::string url_of(const broker::ListenerOptions& options, std::uint16_t port) {
  const char* const scheme = options.websocket ? (options.tls ? "wss" : "ws")
                             : options.tls     ? "mqtts"
                                               : "mqtt";
  if (!options.unix_socket.empty()) {
    return fmt::format("{}+unix://{}", scheme, options.unix_socket.string());
  }
  const bool ipv6 = options.address.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", scheme, ipv6 ? "[" : "", options.address, ipv6 ? "]" : "",
                     port);
}

// Returns the URLs of the listeners.
std::vector<std::string> listen(broker::Broker& broker, const Config& config) {
  std::vector<std::string> urls;
  const auto open = [&](const broker::ListenerOptions& options) {
    urls.push_back(url_of(options, broker.listen(options)));
  };
  if (config.plain_listener) {
    broker::ListenerOptions plain;
    plain.address = config.bind;
    plain.port = config.mqtt.port;
    open(plain);
  }
  for (const Config::Listener& listener : config.listeners) open(listener.options);
  return urls;
}

// Who runs or tests a hub waits for this line, which has the ports.
void say_ready(const std::vector<std::string>& urls, const std::string& database,
               std::size_t rules) {
  fmt::print("ready {} database={} rules={}\n", fmt::join(urls, " "), database, rules);
  std::fflush(stdout);
  notify_service_manager("READY=1\nSTATUS=");
}

// SIGHUP, each time.
class HangUps {
 public:
  HangUps(boost::asio::io_context& io, std::function<void()> on_hang_up)
      : on_hang_up_(std::move(on_hang_up)), signals_(io, SIGHUP) {
    wait();
  }

 private:
  void wait() {
    signals_.async_wait([this](const boost::system::error_code& error, int) {
      if (error) return;
      log::info("SIGHUP: reading certificates and keys anew");
      on_hang_up_();
      wait();
    });
  }

  const std::function<void()> on_hang_up_;
  boost::asio::signal_set signals_;
};

// The exit status.
int stop(broker::Broker& broker, boost::asio::signal_set& signals,
         std::optional<HangUps>& hang_ups) {
  // A second signal must not cut the stop short, which is bounded as it is.
  signals.clear();
  hang_ups.reset();
  std::signal(SIGTERM, SIG_IGN);
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  notify_service_manager("STOPPING=1");
  if (broker.stop(kStopGrace)) return 0;
  log::error("stopped with messages that were not committed: none of them was acknowledged");
  return 1;
}

// Throws what would be found once everything else is started.
void check_certificates(const Config& config) {
  for (const Config::Listener& listener : config.listeners) {
    (void)broker::FilterFactory{listener.options.tls, std::nullopt};
  }
}

int run(const Config& config) {
  check_certificates(config);
  std::optional<StartSignals> start_signals{std::in_place};
  const std::uint32_t shards =
      config.shards != 0 ? config.shards : std::max(1u, std::thread::hardware_concurrency());
  HubDatabase database = HubDatabase::for_serving(config);
  DatabaseWait wait{database.shown_url(), {.answer = config.storage.answer_timeout}};
  wait.until_done(
      [&](const storage::Patience& patience) { require_schema(database.url(), patience); });
  storage::PgWriterOptions writer_options = writer_options_of(config, shards);
  const auto spool = empty_spool(config, database.url(), writer_options);
  writer_options.spool = spool.get();

  Loaded loaded;
  wait.until_done(
      [&](const storage::Patience& patience) { loaded = load(config, database.url(), patience); });
  for (const std::string& concern : loaded.concerns) log::warning("{}", concern);
  const auto rules_version = std::make_shared<const RulesVersion>(loaded.rules);
  const Maintenance maintenance{database.url()};
  maintenance.wait_for_first(config.storage.answer_timeout);

  const auto allowance = daily_allowance(config, loaded.usage);
  storage::Connector connector{database.url()};
  OutageLog outages;
  HubStatus status{writer_options.hub_id, spool.get()};
  broker::Broker broker{
      broker_options(config, shards), shards,
      [&](std::uint32_t shard, boost::asio::io_context& io, broker::SinkListener& listener) {
        storage::PgWriterOptions own = writer_options;
        own.shard = shard;
        auto sink = std::make_unique<ShardPipeline>(io, rules_version, connector, own, listener,
                                                    outages, make_usage(config, allowance.get()));
        status.add_sink({io, *sink});
        return sink;
      },
      std::move(loaded.sessions)};
  status.set_broker(broker);

  boost::asio::io_context io;
  const ControlSocket control{io, config.data_dir, [&](std::string_view question) {
                                return answer_question(question, status);
                              }};
  boost::asio::signal_set signals{io, SIGTERM, SIGINT};
  signals.async_wait([&](const boost::system::error_code&, int signal) {
    log::info("{}: stopping", signal == SIGTERM ? "SIGTERM" : "SIGINT");
    io.stop();
  });
  start_signals.reset();

  const SysTopics sys_topics{io, status, broker, config.mqtt.sys_interval};
  const auto metrics = serve_metrics(config.metrics.port, status);

  const std::vector<std::string> urls = listen(broker, config);
  TlsWatch tls_watch{io, broker, config};
  std::optional<HangUps> hang_ups{std::in_place, io, [&] { tls_watch.reload_now(); }};
  say_ready(urls, database.shown_url(), loaded.rules->size());
  io.run();
  return stop(broker, signals, hang_ups);
}

}  // namespace

int serve(const Config& config) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);  // until there is something to read anew
  log::set_level(config.log_level);
  try {
    return run(config);
  } catch (const std::exception& error) {
    log::error("{}", error.what());
    return 1;
  }
}

}  // namespace hub
