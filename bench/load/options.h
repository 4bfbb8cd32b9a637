#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/packets.h"

namespace hub::bench {

enum class Mode : std::uint8_t { pub, sub, pair, fanin, fanout, connect, idle, fleet };

[[nodiscard]] const char* mode_name(Mode mode);

// How publishers decide when to send.
enum class Pace : std::uint8_t {
  closed,  // as soon as the window has room
  capped,  // the same, at no more than a total rate
  open,    // at a fixed total rate whatever the broker does; latency counts from the intended time
};

// Whom to talk to, and as whom.
struct Target {
  std::string host = "127.0.0.1";
  std::uint16_t port = 1883;
  MqttVersion version = MqttVersion::v3_1_1;
  std::string client_prefix = "bench";
  std::string username;
  std::string password;
  bool clean_start = true;
  std::uint32_t session_expiry_seconds = 0;
  std::uint16_t keep_alive_seconds = 60;
  std::uint32_t connecting = 64;  // connections that may be in set-up at once
};

struct Options {
  Mode mode = Mode::pub;
  Target target;

  std::uint32_t publishers = 0;
  std::uint32_t subscribers = 0;
  std::uint32_t threads = 1;
  std::uint8_t qos = 1;
  bool retain = false;
  std::uint16_t window = 50;
  Pace pace = Pace::closed;
  double rate = 0;  // messages per second of all publishers together
  std::string topic;
  std::string filter;  // sub and idle
  std::string payload;
  std::uint64_t seed = 1;

  std::uint64_t messages = 0;  // of all publishers together; 0: by duration
  std::chrono::duration<double> duration{10};
  std::chrono::duration<double> warm_up{0};
  std::chrono::duration<double> settle{0};  // between the last subscription and the first message
  std::chrono::duration<double> hold{0};    // idle; 0: until SIGTERM
  std::chrono::duration<double> patience{30};  // without any progress
  bool reconnect = false;
  bool live = false;

  std::vector<int> broker_pids;
  std::optional<std::string> json;  // a file, or "-"
};

}  // namespace hub::bench
