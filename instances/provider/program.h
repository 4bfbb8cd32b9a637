#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Runs the system's own programs (ip, nft, initdb …) with an argument vector; never through a
// shell.

namespace hub::instances {

struct Program {
  std::vector<std::string> arguments;  // the first is a path, or a name that find_program() knows
  std::string input;                   // its standard input
  std::chrono::milliseconds limit{30'000};  // then it is killed
  int inherited = -1;                       // borrowed; the program has it as descriptor 3
};

struct ProgramResult {
  int exit_code = 0;  // 128 + n when signal n ended it, as a shell says it
  std::string output;
  std::string error;
};

// The program's file in the directories of system programs, whatever PATH says.
[[nodiscard]] std::optional<std::filesystem::path> find_program(std::string_view name);

// What a program started by this process finds in its environment: no variable of the caller's but
// the language's and the sanitizers' settings.
[[nodiscard]] std::vector<std::string> clean_environment();

// Runs it in the calling thread's network namespace and waits for its end; it is killed when this
// process is. Throws ProviderError when it is not there, cannot be started, or takes longer than
// its limit.
[[nodiscard]] ProgramResult run_program(const Program& program);

// Like run_program(), returning its output; throws ProviderError(retry), with `what` and the
// program's own message, unless it ends with 0.
std::string require_program(const Program& program, std::string_view what);

}  // namespace hub::instances
