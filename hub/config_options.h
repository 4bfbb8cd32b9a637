#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/config.h"

namespace hub {

// The kinds of value that a TOML file distinguishes.
enum class ValueKind : std::uint8_t { text, boolean, integer, integer_or_text };

// One value of the configuration: the single source of the file's keys, the environment's names,
// the flags, --help and the reference in docs/configuration.md.
struct ConfigOption {
  std::string key;       // in the file: "mqtt.port" is port in [mqtt]
  std::string argument;  // in --help: "N"; empty for a flag that needs no value
  std::string expected;  // "a number from 0 to 65535"
  std::string help;      // one sentence, without a full stop
  ValueKind kind = ValueKind::text;

  // Reads a value; false when it is not what was expected, and the Config is then unchanged.
  std::function<bool(Config&, std::string_view)> set;
  std::function<std::string(const Config&)> get;

  [[nodiscard]] std::string flag() const;      // "--mqtt-port"
  [[nodiscard]] std::string variable() const;  // "IOTHUB_MQTT_PORT"
  [[nodiscard]] std::string section() const;   // "mqtt"; empty for the top level
};

[[nodiscard]] const std::vector<ConfigOption>& config_options();

// Null when there is no such key.
[[nodiscard]] const ConfigOption* find_config_option(std::string_view key);

// The reference of docs/configuration.md: one Markdown table per section.
[[nodiscard]] std::string configuration_reference();

}  // namespace hub
