#pragma once

#include <ostream>

#include "hub/config.h"

namespace hub {

// `iothub check`: connects to the database, loads and compiles the rules against it, and writes
// every problem, one per line and with its place, to `out`. Returns the exit status.
int check(const Config& config, std::ostream& out);

}  // namespace hub
