#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <variant>

#include "hub/config.h"

namespace hub {

enum class Command : std::uint8_t { serve, check, db_init, db_status, db_script, db_url };

struct CommandLine {
  Command command = Command::serve;
  ConfigSources sources;  // the flags, the file that a flag or the environment names, and the rest
};

// Exit statuses of the program.
inline constexpr int kSuccess = 0;
inline constexpr int kFailure = 1;
inline constexpr int kUsageError = 2;

// What to do, or the exit status when that is all: after --help, --version or a mistake, which has
// been written to `out` or `err`.
[[nodiscard]] std::variant<CommandLine, int> parse_command_line(int count,
                                                                const char* const* arguments,
                                                                std::ostream& out,
                                                                std::ostream& err);

}  // namespace hub
