#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <variant>
#include <vector>

#include "hub/config.h"
#include "hub/tls_command.h"

namespace hub {

enum class Command : std::uint8_t {
  serve,
  check,
  db_init,
  db_status,
  db_script,
  db_url,
  ledger,
  deadletter_list,
  deadletter_show,
  deadletter_replay,
  deadletter_drop,
  metrics,
  tls_init,
};

// Of `iothub ledger`.
struct LedgerArguments {
  std::optional<std::string> rule;
  std::optional<std::string> device;
  bool devices = false;
  bool gaps = false;
  bool json = false;
};

// Of `iothub deadletter …`: which dead letters, and how they are shown.
struct DeadLetterArguments {
  std::vector<std::int64_t> ids;
  std::optional<std::string> rule;
  std::optional<std::string> reason;
  std::optional<std::string> client;
  std::optional<std::string> since;  // as PostgreSQL reads a timestamptz
  std::optional<std::string> until;
  std::optional<std::uint64_t> limit;
  bool all = false;
  bool json = false;

  // Whether numbers or a filter are given.
  [[nodiscard]] bool any() const noexcept {
    return !ids.empty() || rule || reason || client || since || until || limit;
  }
};

struct CommandLine {
  Command command = Command::serve;
  ConfigSources sources;  // the flags, the file that a flag or the environment names, and the rest
  LedgerArguments ledger;
  DeadLetterArguments dead_letters;
  TlsInitArguments tls;
};

// Exit statuses of the program.
inline constexpr int kSuccess = 0;
inline constexpr int kFailure = 1;
inline constexpr int kUsageError = 2;

// A mistake in the call that only the command itself can find.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What to do, or the exit status when that is all: after --help, --version or a mistake, which has
// been written to `out` or `err`.
[[nodiscard]] std::variant<CommandLine, int> parse_command_line(int count,
                                                                const char* const* arguments,
                                                                std::ostream& out,
                                                                std::ostream& err);

}  // namespace hub
