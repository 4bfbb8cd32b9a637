#pragma once

#include <toml++/toml.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "hub/config.h"

namespace hub {

// A mistake in the file, at its place.
using TellProblem = std::function<void(const toml::source_region& where, const std::string& what)>;

// Reads what stands as `listener`: an array of tables; docs/listeners.md says of which keys.
// Appends those without a mistake to `out`. `file` is for the places in Config::Listener::stated,
// and for paths, which start at its directory.
void read_listeners(const toml::node& listeners, const std::filesystem::path& file,
                    std::vector<Config::Listener>& out, const TellProblem& problem);

}  // namespace hub
