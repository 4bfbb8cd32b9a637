#include "bench/load/command_line.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "bench/load/text_template.h"

namespace hub::bench {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr const char* kTelemetryPayload =
    R"({"temperature":{temp},"humidity":{hum},"battery":{volt},"seq":{n},"ts":{ts},"fw":"1.4.2","status":"ok"})";
constexpr const char* kStampedPayload =
    R"({"stamp":"{stamp}","temperature":{temp},"humidity":{hum},"seq":{n},"status":"ok"})";

constexpr const char* kDescription =
    "Puts an MQTT broker under load, checks every answer, and says how fast and at what cost.";

constexpr const char* kExamples = R"(
Examples:
  iothub-bench pub --clients 20 --window 50 --qos 1 --duration 10
      How many QoS 1 messages a second the broker acknowledges.
  iothub-bench pub --open --rate 20000 --duration 30
      Latency at a fixed rate, counted from the time at which each message was due.
  iothub-bench pub --messages 1000000 -t 'devices/d{i}/telemetry' \
      -m '{"temperature":{temp},"humidity":{hum},"seq":{n}}' --json result.json
      A known number of messages: the table must then have as many rows, and the sum of seq and of
      the temperatures is in result.json.
  iothub-bench pair --clients 10 --qos 1      ten publishers, each with its own subscriber
  iothub-bench fanin --publishers 10          ten publishers, one subscriber
  iothub-bench fanout --subscribers 50        one publisher, fifty subscribers
  iothub-bench connect --clients 50           connects per second
  iothub-bench idle --clients 10000 --broker-pid $(pidof iothub)
      Memory per idle connection, held until SIGTERM.
  iothub-bench fleet --clients 100 --rate 1000   a simulated fleet of devices

Templates: {i} number of the client, {n} number of its message, {ts} milliseconds since 1970,
  {temp} {hum} {volt} numbers that wander as a sensor's do (the same for the same --seed),
  {stamp} what a subscriber knows a message and its time of sending by. Other braces stand for
  themselves.

Exit status: 0 every answer was right; 1 some were wrong, missing or refused: the report names and
counts them; 2 the run could not begin.)";

// What CLI11 fills in, before it is checked and becomes Options.
struct Raw {
  Options options;
  std::uint32_t clients = 0;
  std::uint32_t publishers = 0;
  std::uint32_t subscribers = 0;
  std::string version = "3.1.1";
  double duration = 10;
  double warm_up = 0;
  double settle = 0.2;
  double hold = 0;
  double patience = 30;
  bool open = false;
  bool keep_session = false;
  std::string payload_file;
  std::uint32_t size = 0;
  std::string json;
};

void add_target(CLI::App& app, Raw& raw) {
  Target& target = raw.options.target;
  app.add_option("--host", target.host, "Host name or address of the broker")
      ->capture_default_str();
  app.add_option("-p,--port", target.port, "TCP port of the broker")->capture_default_str();
  app.add_option("-V,--mqtt", raw.version, "Protocol version")
      ->check(CLI::IsMember({"3.1.1", "5"}))
      ->capture_default_str();
  app.add_option("--client-prefix", target.client_prefix, "What each client id begins with")
      ->capture_default_str();
  app.add_option("-u,--username", target.username, "User name, for all clients");
  app.add_option("-P,--password", target.password, "Password, for all clients");
  app.add_flag("--keep-session", raw.keep_session, "Connect without clean start");
  app.add_option("--session-expiry", target.session_expiry_seconds,
                 "Seconds that a session outlives its connection (MQTT 5)")
      ->capture_default_str();
  app.add_option("--keep-alive", target.keep_alive_seconds, "Seconds; 0 for none")
      ->capture_default_str();
  app.add_option("--connecting", target.connecting, "Connections in set-up at once")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--threads", raw.options.threads, "Threads that share the clients")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--patience", raw.patience, "Seconds without any answer that end the run")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--broker-pid", raw.options.broker_pids,
                 "Report what this process and its descendants use; may be repeated");
  app.add_option("--json", raw.json, "Write the report as JSON to this file, or - for stdout");
}

void add_length(CLI::App& app, Raw& raw, const char* what) {
  app.add_option("-n,--messages", raw.options.messages, what);
  app.add_option("-d,--duration", raw.duration, "Seconds, when no number is given")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--warm-up", raw.warm_up, "Seconds before the measurement begins")
      ->check(CLI::NonNegativeNumber);
}

void add_qos(CLI::App& app, Raw& raw) {
  app.add_option("-q,--qos", raw.options.qos, "Quality of service")
      ->check(CLI::Range(0, 2))
      ->capture_default_str();
}

void add_publishing(CLI::App& app, Raw& raw) {
  Options& options = raw.options;
  add_qos(app, raw);
  app.add_option("-w,--window", options.window, "Messages in flight for each publisher")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  app.add_option("-r,--rate", options.rate, "Messages per second of all publishers together")
      ->check(CLI::PositiveNumber);
  app.add_flag("--open", raw.open,
               "Keep to --rate whatever the broker does, and count latency from the time at which "
               "a message was due; without it a slow broker slows the publishers down");
  app.add_option("-t,--topic", options.topic, "Topic of each publisher, a template with {i}")
      ->capture_default_str();
  app.add_option("-m,--payload", options.payload, "Payload, a template")->capture_default_str();
  app.add_option("--payload-file", raw.payload_file, "Read the payload's template from a file")
      ->check(CLI::ExistingFile);
  app.add_option("--size", raw.size, "Lengthen the payload's template to this many bytes");
  app.add_flag("--retain", options.retain, "Publish retained messages");
  app.add_option("--seed", options.seed, "Of the random numbers")->capture_default_str();
  add_length(app, raw, "Messages of all publishers together");
}

void add_settling(CLI::App& app, Raw& raw) {
  app.add_option("--settle", raw.settle,
                 "Seconds between the last subscription and the first message, as some brokers "
                 "answer a subscription before it is in force")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

CLI::App* add_mode(CLI::App& app, Raw& raw, Mode mode, const char* what,
                   const std::function<void(CLI::App&)>& add_options) {
  CLI::App* sub = app.add_subcommand(mode_name(mode), what);
  sub->parse_complete_callback([&raw, mode] { raw.options.mode = mode; });
  sub->get_formatter()->column_width(34);
  add_options(*sub);
  add_target(*sub, raw);
  return sub;
}

void add_clients(CLI::App& app, std::uint32_t& count, const char* what) {
  app.add_option("-c,--clients", count, what)->check(CLI::PositiveNumber)->capture_default_str();
}

struct Defaults {
  std::uint32_t clients;
  std::uint32_t publishers;
  std::uint32_t subscribers;
  const char* topic;
  const char* filter;
};

Defaults defaults_of(Mode mode) {
  switch (mode) {
    case Mode::pub:
      return {20, 0, 0, "devices/d{i}/telemetry", ""};
    case Mode::sub:
      return {1, 0, 0, "", "bench/#"};
    case Mode::pair:
      return {10, 0, 0, "bench/pair/{i}", ""};
    case Mode::fanin:
      return {0, 10, 1, "bench/fanin/{i}", "bench/fanin/+"};
    case Mode::fanout:
      return {0, 1, 50, "bench/fanout/{i}", "bench/fanout/+"};
    case Mode::connect:
      return {50, 0, 0, "", ""};
    case Mode::idle:
      return {1000, 0, 0, "", "devices/d{i}/commands"};
    case Mode::fleet:
      return {50, 0, 0, "devices/d{i}/telemetry", ""};
  }
  return {};
}

// Who publishes and who subscribes in a mode.
void assign_roles(Raw& raw) {
  Options& options = raw.options;
  const Defaults defaults = defaults_of(options.mode);
  const auto given = [](std::uint32_t value, std::uint32_t fallback) {
    return value > 0 ? value : fallback;
  };
  const std::uint32_t clients = given(raw.clients, defaults.clients);
  switch (options.mode) {
    case Mode::pub:
    case Mode::fleet:
      options.publishers = clients;
      break;
    case Mode::pair:
      options.publishers = options.subscribers = clients;
      break;
    case Mode::fanin:
    case Mode::fanout:
      options.publishers = given(raw.publishers, defaults.publishers);
      options.subscribers = given(raw.subscribers, defaults.subscribers);
      break;
    case Mode::sub:
    case Mode::connect:
    case Mode::idle:
      options.subscribers = clients;
      break;
  }
  if (options.topic.empty()) options.topic = defaults.topic;
  if (options.filter.empty()) options.filter = defaults.filter;
}

void choose_payload(Raw& raw) {
  Options& options = raw.options;
  if (!raw.payload_file.empty()) {
    std::ifstream file{raw.payload_file};
    options.payload.assign(std::istreambuf_iterator<char>{file}, {});
  }
  if (options.payload.empty()) {
    options.payload = options.subscribers > 0 ? kStampedPayload : kTelemetryPayload;
  }
  if (options.payload.size() >= raw.size) return;
  std::size_t missing = raw.size - options.payload.size();
  constexpr std::string_view member = R"(,"pad":"")";
  if (options.payload.back() == '}' && missing > member.size()) {
    missing -= member.size();
    options.payload.pop_back();
    options.payload += R"(,"pad":")" + std::string(missing, 'x') + "\"}";
  } else {
    options.payload.append(missing, ' ');
  }
}

void complete(Raw& raw) {
  Options& options = raw.options;
  options.target.version = raw.version == "5" ? MqttVersion::v5 : MqttVersion::v3_1_1;
  options.target.clean_start = !raw.keep_session;
  options.duration = Seconds{raw.duration};
  options.warm_up = Seconds{raw.warm_up};
  options.hold = Seconds{raw.hold};
  options.patience = Seconds{raw.patience};
  if (!raw.json.empty()) options.json = raw.json;
  assign_roles(raw);
  options.settle = Seconds{options.publishers > 0 && options.subscribers > 0 ? raw.settle : 0};
  choose_payload(raw);
  if (raw.open && options.rate == 0) throw CLI::ValidationError("--open", "needs --rate");
  options.pace = raw.open ? Pace::open : options.rate > 0 ? Pace::capped : Pace::closed;
  const bool one_thread = options.mode == Mode::fanin || options.mode == Mode::fanout;
  if (options.threads > 1 && one_thread) {
    throw CLI::ValidationError("--threads", "this mode runs in one thread");
  }
  if (options.mode == Mode::fleet) {
    options.live = true;
    options.reconnect = true;
    if (options.rate == 0) {
      options.rate = options.publishers;
      options.pace = Pace::capped;
    }
  }
}

// Each mode is a command with the options that it takes.
void add_publish_modes(CLI::App& app, Raw& raw) {
  add_mode(app, raw, Mode::pub, "Publish; latency until the acknowledgement", [&](CLI::App& sub) {
    add_clients(sub, raw.clients, "Publishers (20)");
    add_publishing(sub, raw);
  });
  add_mode(app, raw, Mode::sub, "Subscribe; what others publish", [&](CLI::App& sub) {
    add_clients(sub, raw.clients, "Subscribers (1)");
    add_qos(sub, raw);
    sub.add_option("-f,--filter", raw.options.filter,
                   "Topic filter, a template with {i} (bench/#)");
    sub.add_option("-m,--payload", raw.options.payload,
                   "The publishers' template, to find {stamp}");
    sub.add_option("-d,--duration", raw.duration, "Seconds")->check(CLI::PositiveNumber);
  });
  add_mode(app, raw, Mode::pair, "Publishers with a subscriber each", [&](CLI::App& sub) {
    add_clients(sub, raw.clients, "Pairs (10)");
    add_settling(sub, raw);
    add_publishing(sub, raw);
  });
  for (const Mode mode : {Mode::fanin, Mode::fanout}) {
    const char* what = mode == Mode::fanin ? "Many publishers, one subscriber for all"
                                           : "One publisher, many subscribers";
    add_mode(app, raw, mode, what, [&](CLI::App& sub) {
      sub.add_option("--publishers", raw.publishers, mode == Mode::fanin ? "(10)" : "(1)");
      sub.add_option("--subscribers", raw.subscribers, mode == Mode::fanin ? "(1)" : "(50)");
      sub.add_option("-f,--filter", raw.options.filter, "What the subscribers subscribe to");
      add_settling(sub, raw);
      add_publishing(sub, raw);
    });
  }
}

void add_connection_modes(CLI::App& app, Raw& raw) {
  add_mode(app, raw, Mode::connect, "Connect and leave, over and over", [&](CLI::App& sub) {
    add_clients(sub, raw.clients, "Clients at once (50)");
    add_length(sub, raw, "Connects of all clients together");
  });
  add_mode(app, raw, Mode::idle, "Hold idle connections with a subscription", [&](CLI::App& sub) {
    add_clients(sub, raw.clients, "Connections (1000)");
    add_qos(sub, raw);
    sub.add_option("-f,--filter", raw.options.filter,
                   "Topic filter, a template with {i} (devices/d{i}/commands)");
    sub.add_option("--hold", raw.hold, "Seconds; without it until SIGTERM");
  });
}

CLI::App* add_fleet_mode(CLI::App& app, Raw& raw) {
  CLI::App* fleet =
      add_mode(app, raw, Mode::fleet, "Simulate devices until stopped", [&](CLI::App& sub) {
        add_clients(sub, raw.clients, "Devices (50), which send one message a second each");
        add_publishing(sub, raw);
      });
  fleet->alias("simulate");
  return fleet;
}

}  // namespace

const char* mode_name(Mode mode) {
  switch (mode) {
    case Mode::pub:
      return "pub";
    case Mode::sub:
      return "sub";
    case Mode::pair:
      return "pair";
    case Mode::fanin:
      return "fanin";
    case Mode::fanout:
      return "fanout";
    case Mode::connect:
      return "connect";
    case Mode::idle:
      return "idle";
    case Mode::fleet:
      return "fleet";
  }
  return "";
}

std::variant<Options, ExitCode> parse_command_line(int argc, const char* const* argv) {
  Raw raw;
  CLI::App app{kDescription, "iothub-bench"};
  app.require_subcommand(1);
  app.footer(kExamples);
  app.get_formatter()->column_width(16);

  add_publish_modes(app, raw);
  add_connection_modes(app, raw);
  const CLI::App* fleet = add_fleet_mode(app, raw);

  try {
    app.parse(argc, argv);
    if (fleet->parsed() && fleet->count("--duration") == 0) raw.duration = 0;
    complete(raw);
    return std::move(raw.options);
  } catch (const CLI::ParseError& error) {
    return ExitCode{app.exit(error) == 0 ? 0 : 2};
  }
}

}  // namespace hub::bench
