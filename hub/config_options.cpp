#include "hub/config_options.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <span>

namespace hub {
namespace {

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array kByteUnits{Unit{"GiB", 1 << 30}, Unit{"MiB", 1 << 20}, Unit{"KiB", 1 << 10},
                                Unit{"B", 1}};
constexpr std::array kTimeUnits{Unit{"d", 86'400}, Unit{"h", 3'600}, Unit{"m", 60}, Unit{"s", 1}};

// "64 MiB", "64MiB" and "67108864" are one value.
std::optional<std::uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units) {
  std::uint64_t factor = 1;
  for (const auto& unit : units) {
    if (!text.ends_with(unit.name)) continue;
    text.remove_suffix(unit.name.size());
    while (text.ends_with(' ')) text.remove_suffix(1);
    factor = unit.factor;
    break;
  }
  const auto number = parse_number<std::uint64_t>(text);
  if (!number || *number > std::numeric_limits<std::uint64_t>::max() / factor) return std::nullopt;
  return *number * factor;
}

std::string show_with_unit(std::uint64_t value, std::span<const Unit> units) {
  const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& candidate) {
    return value >= candidate.factor && value % candidate.factor == 0;
  });
  const auto& shown = unit == units.end() ? units.back() : *unit;
  const auto* space = shown.name.size() > 1 ? " " : "";
  return fmt::format("{}{}{}", value / shown.factor, space, shown.name);
}

bool is_ip_address(const std::string& text) {
  in6_addr address{};
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

bool is_database_url(std::string_view text) {
  return text.empty() || text.starts_with("postgresql://") || text.starts_with("postgres://") ||
         text.find('=') != std::string_view::npos;
}

// Each maker takes `access`, which gives the Config's member for a Config& and for a const one.

template <class Access>
ConfigOption number(std::string key, std::string help, std::uint64_t least, std::uint64_t most,
                    Access access) {
  using Number = std::remove_cvref_t<decltype(access(std::declval<Config&>()))>;
  ConfigOption option;
  option.key = std::move(key);
  option.argument = "N";
  option.expected = fmt::format("a number from {} to {}", least, most);
  option.help = std::move(help);
  option.kind = ValueKind::integer;
  option.set = [=](Config& config, std::string_view text) {
    const auto value = parse_number<std::uint64_t>(text);
    if (!value || *value < least || *value > most) return false;
    access(config) = static_cast<Number>(*value);
    return true;
  };
  option.get = [=](const Config& config) { return std::to_string(access(config)); };
  return option;
}

template <class Access>
ConfigOption bytes(std::string key, std::string help, std::uint64_t least, std::uint64_t most,
                   Access access) {
  using Number = std::remove_cvref_t<decltype(access(std::declval<Config&>()))>;
  ConfigOption option;
  option.key = std::move(key);
  option.argument = "BYTES";
  option.expected =
      fmt::format("a size from {} to {}, as 65536 or \"64 KiB\"", show_with_unit(least, kByteUnits),
                  show_with_unit(most, kByteUnits));
  option.help = std::move(help);
  option.kind = ValueKind::integer_or_text;
  option.set = [=](Config& config, std::string_view text) {
    const auto value = parse_with_unit(text, kByteUnits);
    if (!value || *value < least || *value > most) return false;
    access(config) = static_cast<Number>(*value);
    return true;
  };
  option.get = [=](const Config& config) { return show_with_unit(access(config), kByteUnits); };
  return option;
}

template <class Access>
ConfigOption duration(std::string key, std::string help, std::chrono::seconds least,
                      std::chrono::seconds most, Access access) {
  const auto show = [](std::chrono::seconds time) {
    return show_with_unit(static_cast<std::uint64_t>(time.count()), kTimeUnits);
  };
  ConfigOption option;
  option.key = std::move(key);
  option.argument = "TIME";
  option.expected = fmt::format("a time from {} to {}, as 90 (seconds), \"90s\" or \"7d\"",
                                show(least), show(most));
  option.help = std::move(help);
  option.kind = ValueKind::integer_or_text;
  option.set = [=](Config& config, std::string_view text) {
    const auto value = parse_with_unit(text, kTimeUnits);
    if (!value || *value < static_cast<std::uint64_t>(least.count()) ||
        *value > static_cast<std::uint64_t>(most.count())) {
      return false;
    }
    access(config) = std::chrono::seconds(*value);
    return true;
  };
  option.get = [=](const Config& config) { return show(access(config)); };
  return option;
}

template <class Access>
ConfigOption text(std::string key, std::string argument, std::string expected, std::string help,
                  Access access, std::function<bool(const std::string&)> valid) {
  ConfigOption option;
  option.key = std::move(key);
  option.argument = std::move(argument);
  option.expected = std::move(expected);
  option.help = std::move(help);
  option.set = [=](Config& config, std::string_view value) {
    if (!valid(std::string(value))) return false;
    access(config) = value;
    return true;
  };
  option.get = [=](const Config& config) -> std::string { return access(config); };
  return option;
}

// A member of the Config, for the makers above.
#define HUB_MEMBER(path) [](auto& config) -> auto& { return config.path; }

void add_general(std::vector<ConfigOption>& options) {
  const auto not_empty = [](const std::string& value) { return !value.empty(); };
  const auto any = [](const std::string&) { return true; };
  options.push_back(text("bind", "ADDRESS", "an IPv4 or IPv6 address",
                         "address to listen on; without allow_anonymous only a loopback one",
                         HUB_MEMBER(bind), is_ip_address));

  ConfigOption anonymous;
  anonymous.key = "allow_anonymous";
  anonymous.expected = "true or false";
  anonymous.help = "lets devices connect without credentials from other machines, too";
  anonymous.kind = ValueKind::boolean;
  anonymous.set = [](Config& config, std::string_view value) {
    if (value != "true" && value != "false") return false;
    config.allow_anonymous = value == "true";
    return true;
  };
  anonymous.get = [](const Config& config) { return config.allow_anonymous ? "true" : "false"; };
  options.push_back(std::move(anonymous));

  options.push_back(text("database", "URL", "postgresql://user@host/database, or nothing",
                         "database to write to; without one the hub runs its own in data_dir",
                         HUB_MEMBER(database), is_database_url));
  options.push_back(text("rules", "PATH", "a file or a directory",
                         "rule file, or a directory of *.toml; without one the built-in rule "
                         "stores telemetry",
                         HUB_MEMBER(rules), any));
  options.push_back(text("data_dir", "DIR", "a directory",
                         "where the hub keeps what is its own: its lock, the embedded database",
                         HUB_MEMBER(data_dir), not_empty));
  options.push_back(number("shards", "threads that serve connections; 0 is one per core", 0, 256,
                           HUB_MEMBER(shards)));

  ConfigOption level;
  level.key = "log_level";
  level.argument = "LEVEL";
  level.expected = "debug, info, warning, error or off";
  level.help = "least level of the lines that the log, on standard error, shows";
  level.set = [](Config& config, std::string_view value) {
    const auto parsed = log::parse_level(value);
    if (parsed) config.log_level = *parsed;
    return parsed.has_value();
  };
  level.get = [](const Config& config) { return std::string(log::to_string(config.log_level)); };
  options.push_back(std::move(level));

  options.push_back(text("meter", "NAME", "a name, or nothing",
                         "counts, under that name, what devices send and get, for a bill: in the "
                         "tables iothub.usage and iothub.usage_device",
                         HUB_MEMBER(meter), any));
  options.push_back(number("max_daily_messages",
                           "messages from and to devices that the meter may count on one day, of "
                           "UTC+8; once it has, what devices publish is refused until midnight and "
                           "counted: MQTT 5 clients are answered 0x97, MQTT 3.1.1 clients are "
                           "disconnected, QoS 0 is dropped; 0 is no cap",
                           0, 1'000'000'000'000, HUB_MEMBER(max_daily_messages)));
}

constexpr std::uint64_t kMany = 1'000'000'000;
constexpr std::uint64_t kMuch = std::uint64_t{1} << 40;

void add_mqtt(std::vector<ConfigOption>& options) {
  options.push_back(number("mqtt.port", "TCP port of MQTT; 0 takes a free one", 0, 65'535,
                           HUB_MEMBER(mqtt.port)));
  options.push_back(bytes("mqtt.max_packet_bytes",
                          "largest packet that a client may send; a larger one ends its connection",
                          1'024, 268'435'460, HUB_MEMBER(mqtt.max_packet_bytes)));
  options.push_back(number("mqtt.receive_maximum",
                           "QoS 1 and 2 messages that a client may send before the first is "
                           "acknowledged",
                           1, 65'535, HUB_MEMBER(mqtt.receive_maximum)));
  options.push_back(number("mqtt.max_inflight",
                           "QoS 1 and 2 messages that are sent to a client before it acknowledges "
                           "the first; a client may ask for fewer",
                           1, 65'535, HUB_MEMBER(mqtt.max_inflight)));
  options.push_back(number("mqtt.max_connections", "clients connected at a time", 1, kMany,
                           HUB_MEMBER(mqtt.max_connections)));
  options.push_back(number("mqtt.max_sessions", "sessions, connected or not", 1, kMany,
                           HUB_MEMBER(mqtt.max_sessions)));
  options.push_back(number("mqtt.max_subscriptions", "subscriptions of one session", 1, kMany,
                           HUB_MEMBER(mqtt.max_subscriptions)));
  options.push_back(
      number("mqtt.max_filter_levels",
             "levels of a subscription's topic filter; one with more is refused (0x97)", 1, 65'536,
             HUB_MEMBER(mqtt.max_filter_levels)));
  options.push_back(bytes("mqtt.max_filter_bytes",
                          "bytes of a subscription's topic filter; a longer one is refused (0x97)",
                          16, 65'535, HUB_MEMBER(mqtt.max_filter_bytes)));
  options.push_back(
      bytes("mqtt.max_held_bytes",
            "bytes of one session's messages that wait for their commit; above, messages of an "
            "MQTT 5 client are refused (0x97) and counted, and an MQTT 3.1.1 client is not read",
            1'024, kMuch, HUB_MEMBER(mqtt.max_held_bytes)));
  options.push_back(number("mqtt.max_queued_messages",
                           "messages that wait for one session; more are dropped and counted", 1,
                           kMany, HUB_MEMBER(mqtt.max_queued_messages)));
  options.push_back(bytes("mqtt.max_queued_bytes",
                          "bytes that wait for one session; more are dropped and counted", 1'024,
                          kMuch, HUB_MEMBER(mqtt.max_queued_bytes)));
  options.push_back(bytes("mqtt.max_outbound_bytes",
                          "bytes that one client's connection has not taken; above, QoS 0 is "
                          "dropped and counted, and QoS 1 and 2 wait in the session",
                          1'024, std::uint64_t{2} << 30, HUB_MEMBER(mqtt.max_outbound_bytes)));
  options.push_back(number("mqtt.max_retained_messages", "retained messages", 1, kMany,
                           HUB_MEMBER(mqtt.max_retained_messages)));
  options.push_back(bytes("mqtt.max_retained_bytes", "bytes of all retained messages", 1'024, kMuch,
                          HUB_MEMBER(mqtt.max_retained_bytes)));
  options.push_back(duration(
      "mqtt.session_expiry_max", "longest time that a session outlives its connection",
      std::chrono::seconds(0), std::chrono::days(3'650), HUB_MEMBER(mqtt.session_expiry_max)));
  options.push_back(
      duration("mqtt.connect_timeout", "time from a connection's start to its CONNECT",
               std::chrono::seconds(1), std::chrono::hours(1), HUB_MEMBER(mqtt.connect_timeout)));
  options.push_back(duration(
      "mqtt.sys_interval", "time between two looks at what the topics below $SYS say; 0 is never",
      std::chrono::seconds(0), std::chrono::hours(1), HUB_MEMBER(mqtt.sys_interval)));
}

void add_metrics(std::vector<ConfigOption>& options) {
  options.push_back(
      number("metrics.port",
             "TCP port of loopback for HTTP GET of /metrics (Prometheus) and /health; "
             "0 is none",
             0, 65'535, HUB_MEMBER(metrics.port)));
}

void add_outage(std::vector<ConfigOption>& options) {
  ConfigOption outage;
  outage.key = "storage.outage";
  outage.argument = "WHAT";
  outage.expected = "hold or spool";
  outage.help =
      "while the database is away: hold acknowledgements until it is back, or spool messages on "
      "this machine's disk and acknowledge them from there";
  outage.set = [](Config& config, std::string_view value) {
    if (value != "hold" && value != "spool") return false;
    config.storage.outage = value == "spool" ? Config::Outage::spool : Config::Outage::hold;
    return true;
  };
  outage.get = [](const Config& config) {
    return config.storage.outage == Config::Outage::spool ? "spool" : "hold";
  };
  options.push_back(std::move(outage));
  options.push_back(duration("storage.spool_after",
                             "time that a message waits for the database before it goes to the "
                             "spool",
                             std::chrono::seconds(1), std::chrono::hours(1),
                             HUB_MEMBER(storage.spool_after)));
  options.push_back(bytes("storage.spool_size",
                          "size of the spool on disk at most; when it is full, acknowledgements "
                          "wait",
                          std::uint64_t{16} << 20, kMuch, HUB_MEMBER(storage.spool_size)));
}

void add_storage(std::vector<ConfigOption>& options) {
  add_outage(options);
  options.push_back(number("storage.batch_rows", "rows of one transaction at most", 1, 10'000'000,
                           HUB_MEMBER(storage.batch_rows)));
  options.push_back(bytes("storage.batch_bytes", "bytes of one transaction at most", 1'024,
                          std::uint64_t{1} << 30, HUB_MEMBER(storage.batch_bytes)));
  options.push_back(
      bytes("storage.held_bytes",
            "bytes that wait for their commit in the whole hub; near it QoS 0 is shed "
            "and counted, and publishers of QoS 1 and 2 are not read, those with most "
            "bytes first",
            std::uint64_t{1} << 20, kMuch, HUB_MEMBER(storage.held_bytes)));
  options.push_back(duration("storage.answer_timeout",
                             "time without a sign of the database after which its connection is "
                             "given up",
                             std::chrono::seconds(1), std::chrono::hours(1),
                             HUB_MEMBER(storage.answer_timeout)));
}

#undef HUB_MEMBER

std::string spelled(std::string_view prefix, std::string_view key, char between, bool upper) {
  std::string out(prefix);
  for (const char c : key) {
    const bool separator = c == '.' || c == '_';
    const bool lower = c >= 'a' && c <= 'z';
    out += separator ? between : upper && lower ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return out;
}

}  // namespace

std::string ConfigOption::flag() const { return spelled("--", key, '-', false); }

std::string ConfigOption::variable() const { return spelled("IOTHUB_", key, '_', true); }

std::string ConfigOption::section() const {
  const auto dot = key.find('.');
  return dot == std::string::npos ? "" : key.substr(0, dot);
}

const std::vector<ConfigOption>& config_options() {
  static const auto options = [] {
    std::vector<ConfigOption> out;
    add_general(out);
    add_mqtt(out);
    add_metrics(out);
    add_storage(out);
    return out;
  }();
  return options;
}

const ConfigOption* find_config_option(std::string_view key) {
  for (const auto& option : config_options()) {
    if (option.key == key) return &option;
  }
  return nullptr;
}

std::string configuration_reference() {
  std::string out;
  std::string section = "none yet";
  const Config defaults;
  for (const auto& option : config_options()) {
    if (option.section() != section) {
      section = option.section();
      out += section.empty() ? "### Top level\n\n" : fmt::format("\n### [{}]\n\n", section);
      out += "| key | default | expected | meaning |\n| --- | --- | --- | --- |\n";
    }
    const auto name = section.empty() ? option.key : option.key.substr(section.size() + 1);
    const auto value = option.get(defaults);
    out += fmt::format("| `{}` | {} | {} | {} |\n", name,
                       value.empty() ? "none" : fmt::format("`{}`", value), option.expected,
                       option.help);
  }
  return out;
}

}  // namespace hub
