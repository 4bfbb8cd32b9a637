#pragma once

#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/program.h"
#include "tests/support/temporary_directory.h"

namespace hub::test {

// The built hub, run as a user runs it: `iothub serve` on a free port of loopback, with a data
// directory of its own. Stopped with this object.
class HubProcess {
 public:
  struct Options {
    std::string database{};  // empty: the embedded one
    std::string rules{};     // text of a rule file; empty: the built-in rule
    unsigned shards = 2;
    std::vector<std::string> more{};         // further arguments
    std::vector<std::string> environment{};  // "NAME=value"
    bool wait_until_ready = true;            // false: the constructor only launches it
  };
  explicit HubProcess(Options options);
  ~HubProcess();
  HubProcess(const HubProcess&) = delete;
  HubProcess& operator=(const HubProcess&) = delete;

  // Starts it (the constructor has done so the first time) and waits for its `ready` line.
  // The port changes.
  void start();
  // The two halves of start().
  void launch();
  void wait_until_ready();
  // For the next start().
  void change(unsigned shards, std::vector<std::string> more) {
    options_.shards = shards;
    options_.more = std::move(more);
  }
  // SIGKILL, and waits for the end.
  void kill();
  // SIGTERM, or another signal; returns the exit code, -1 when it was killed by a signal.
  int stop(int signal = SIGTERM);

  [[nodiscard]] bool running() const { return program_ && storage::is_running(pid()); }
  [[nodiscard]] pid_t pid() const { return program_->process().pid(); }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const std::string& ready_line() const { return ready_line_; }
  // Of the database that it writes to.
  [[nodiscard]] std::string database_url() const;
  // psql on that database; see psql().
  [[nodiscard]] std::string query(std::string_view sql) const { return psql(database_url(), sql); }
  [[nodiscard]] std::string log() const { return program_->err(); }
  [[nodiscard]] const TemporaryDirectory& directory() const { return directory_; }
  [[nodiscard]] std::string data_directory() const { return (directory_.path() / "data").string(); }

 private:
  TemporaryDirectory directory_;
  Options options_;
  std::unique_ptr<RunningProgram> program_;
  std::string ready_line_;
  std::uint16_t port_ = 0;
};

// Where the built programs are: iothub, iothub-bench.
[[nodiscard]] std::string built_program(std::string_view name);

}  // namespace hub::test
