#pragma once

#include <optional>
#include <variant>

#include "bench/load/options.h"

namespace hub::bench {

struct ExitCode {
  int value;
};

// What the command line asks for; or, after help or a message about what is wrong with it has been
// printed, the code to exit with.
[[nodiscard]] std::variant<Options, ExitCode> parse_command_line(int argc, const char* const* argv);

}  // namespace hub::bench
