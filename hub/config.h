#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "broker/transport/listener.h"

namespace hub {

// How the hub is to run, with its defaults. docs/configuration.md explains each value; what is
// written there, in --help and here is one table in config_options.cpp.
struct Config {
  std::string bind = "127.0.0.1";
  bool allow_anonymous = false;  // beyond loopback; there, anyone may connect in any case
  std::string database;          // empty: the embedded one in data_dir
  std::filesystem::path rules;   // a file or a directory; empty: the built-in rule
  std::filesystem::path data_dir = "data";
  std::uint32_t shards = 0;  // 0: one per core
  log::Level log_level = log::Level::info;
  std::string meter;                     // whose usage is counted; empty: nobody's
  std::uint64_t max_daily_messages = 0;  // of that meter; 0: no cap

  // Of the whole hub; what is marked so holds for each session.
  struct Mqtt {
    std::uint16_t port = 1883;  // 0: a free one
    std::uint32_t max_packet_bytes = 1 << 20;
    std::uint16_t receive_maximum = 1'000;  // each session, from the client
    std::uint16_t max_inflight = 1'000;     // each session, to the client
    std::uint64_t max_connections = 100'000;
    std::uint64_t max_sessions = 1'000'000;
    std::uint64_t max_subscriptions = 1'000;     // each session
    std::uint64_t max_filter_levels = 128;       // each subscription
    std::uint64_t max_filter_bytes = 4 << 10;    // each subscription
    std::uint64_t max_held_bytes = 16 << 20;     // each session, from the client
    std::uint64_t max_queued_messages = 1'000;   // each session
    std::uint64_t max_queued_bytes = 8 << 20;    // each session
    std::uint64_t max_outbound_bytes = 4 << 20;  // each session
    std::uint64_t max_retained_messages = 1'000'000;
    std::uint64_t max_retained_bytes = 256 << 20;
    std::chrono::seconds session_expiry_max{std::chrono::days(7)};
    std::chrono::seconds connect_timeout{10};
    std::chrono::seconds sys_interval{10};  // 0: no $SYS topics
  } mqtt;

  struct Metrics {
    std::uint16_t port = 0;  // 0: none
  } metrics;

  // A [[listener]] of the file; docs/listeners.md.
  struct Listener {
    broker::ListenerOptions options;
    bool allow_anonymous = false;  // beyond loopback
    std::string stated;            // where, as the problems begin
  };
  std::vector<Listener> listeners;
  // The one of `bind` and `mqtt.port`: when there is no other, or one of both was given.
  bool plain_listener = true;

  enum class Outage : std::uint8_t { hold, spool };

  struct Storage {
    Outage outage = Outage::hold;
    std::chrono::seconds spool_after{2};
    std::uint64_t spool_size = std::uint64_t{1} << 30;  // on disk
    std::uint64_t batch_rows = 20'000;
    std::uint64_t batch_bytes = 4 << 20;
    std::uint64_t held_bytes = 256 << 20;  // of the whole hub
    std::chrono::seconds answer_timeout{30};
  } storage;
};

// Where the values of a Config come from. A flag goes before the environment, that before the
// file, that before the default.
struct ConfigSources {
  std::optional<std::filesystem::path> file;
  std::vector<std::pair<std::string, std::string>> environment;  // those that begin with IOTHUB_
  std::vector<std::pair<std::string, std::string>> flags;        // key ("mqtt.port") and value
};

struct LoadedConfig {
  Config config;
  // Every mistake, not only the first; empty when the configuration can be used. Each names where
  // the value stands (file:line:column, the variable or the flag), key, value and what was
  // expected.
  std::vector<std::string> problems;
  bool bad_flag = false;  // one of them is a flag's
  // Of each key that was given, where and how, as the problems begin: "hub.toml:1:8: bind = ::".
  std::map<std::string, std::string> stated;
  // Worth a line in the log: a variable that is probably a slip.
  std::vector<std::string> warnings;
};

[[nodiscard]] LoadedConfig load_config(const ConfigSources& sources);

// The IOTHUB_ variables of this process.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> process_environment();

// Whether only this machine can reach that address. Requires an IPv4 or IPv6 address.
[[nodiscard]] bool is_loopback(const std::string& address);

// A database URL as it may be shown: without its password.
[[nodiscard]] std::string without_password(std::string_view database_url);

}  // namespace hub
