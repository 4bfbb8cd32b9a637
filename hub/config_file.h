#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "hub/config.h"
#include "hub/config_options.h"

namespace hub {

// Names the file when no flag does.
inline constexpr std::string_view kConfigFileVariable = "IOTHUB_CONFIG";

// Takes over what stands in a TOML file. Relative paths in it start at the file's directory.
void apply_config_file(const std::filesystem::path& file, LoadedConfig& out);

// A value as a message may show it: no password, no control character.
[[nodiscard]] std::string shown_value(const ConfigOption& option, std::string_view value);

}  // namespace hub
