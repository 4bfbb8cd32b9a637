#pragma once

#include <ostream>

#include "hub/command_line.h"
#include "hub/config.h"

namespace hub {

// `iothub deadletter …`: writes its answer to `out` and returns the exit status; 1 when a dead
// letter that was to be replayed failed again. Throws std::runtime_error with a sentence for a
// person when database or rules cannot be used.
int run_dead_letter_command(Command command, const DeadLetterArguments& arguments,
                            const Config& config, std::ostream& out);

}  // namespace hub
