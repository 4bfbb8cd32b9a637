#pragma once

#include <ostream>

#include "hub/command_line.h"
#include "hub/config.h"

namespace hub {

// `iothub db …`: writes its answer to `out` and returns the exit status. Throws std::runtime_error
// with a sentence for a person when the database cannot be used.
int run_database_command(Command command, const Config& config, std::ostream& out);

}  // namespace hub
