#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// What the provider tells the keeper of a process, and what the keeper tells back: both programs
// read and write these texts with the functions here.

namespace hub::instances {

// A process that is kept running: a database, a hub, or an endpoint's forwarder.
struct UnitSpec {
  std::filesystem::path folder;             // the keeper's own: see UnitFolder
  std::string fingerprint;                  // of all that the process was started with; one word
  std::filesystem::path network_namespace;  // its file; empty: the keeper's own
  uid_t user = 0;                           // 0: the keeper's own
  std::filesystem::path working_directory = "/";
  std::vector<std::filesystem::path> cgroups;  // folders that it joins
  int stop_signal = SIGTERM;
  std::chrono::milliseconds first_pause{500};  // before it is started again; then doubled
  std::chrono::milliseconds longest_pause{30'000};
  std::chrono::milliseconds steady_after{60'000};  // having run that long, it has not failed
  bool has_listener = false;         // descriptor 3 is passed on, as LISTEN_FDS says it
  std::vector<std::string> command;  // the first is a path
  friend bool operator==(const UnitSpec&, const UnitSpec&) = default;
};

// The keeper's command line, without its own name.
[[nodiscard]] std::vector<std::string> to_arguments(const UnitSpec& spec);

// Throws std::invalid_argument, naming the argument.
[[nodiscard]] UnitSpec parse_unit_arguments(std::span<const std::string> arguments);

// The state of a kept process, as the keeper last wrote it.
struct UnitState {
  std::string fingerprint;
  pid_t process = 0;  // 0: it waits to be started again
  std::uint64_t process_start_time = 0;
  std::uint32_t failures_in_a_row = 0;
  std::optional<int> exit_code;
  std::optional<int> exit_signal;
  friend bool operator==(const UnitState&, const UnitState&) = default;
};

[[nodiscard]] std::string to_text(const UnitState& state);
[[nodiscard]] std::optional<UnitState> parse_unit_state(std::string_view text);

// The files in a keeper's folder, which only root (or the user that started it) can open.
struct UnitFolder {
  std::filesystem::path path;

  // Locked by the keeper while it lives: the kernel knows who it is, so that no pid in a file can
  // come to name another process.
  [[nodiscard]] std::filesystem::path lock() const { return path / "lock"; }
  [[nodiscard]] std::filesystem::path state() const { return path / "state"; }  // UnitState
  // What the process wrote to standard output and error; older text in log.1.
  [[nodiscard]] std::filesystem::path log() const { return path / "log"; }
  [[nodiscard]] std::filesystem::path old_log() const { return path / "log.1"; }
};

// Writes a file in one step: a reader sees the old text or the new one. Throws std::system_error.
void replace_file(const std::filesystem::path& path, std::string_view text, mode_t mode);

[[nodiscard]] std::optional<std::string> read_file(const std::filesystem::path& path);

}  // namespace hub::instances
