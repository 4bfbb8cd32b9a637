#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/supervised_process.h"
#include "tests/support/temporary_directory.h"

namespace hub::test {

// The unprivileged user that PostgreSQL and the like run as when root runs the test.
[[nodiscard]] std::optional<storage::ProcessUser> server_user();

// A PostgreSQL server to be ended in every way: its own cluster, on a Unix socket, as an
// unprivileged user. Every function on one thread, the program's main one: the server dies with
// the thread that started it.
class DatabaseServer {
 public:
  struct Options {
    bool fsync = true;
    // With it, what is not synced is lost by power_cut(). Costs a copy of each file that is synced.
    std::filesystem::path write_loss_library{};
    std::vector<std::string> settings{};         // "name=value"
    const DatabaseServer* standby_of = nullptr;  // streams from that one, which runs
  };
  explicit DatabaseServer(Options options);
  ~DatabaseServer();
  DatabaseServer(const DatabaseServer&) = delete;
  DatabaseServer& operator=(const DatabaseServer&) = delete;

  [[nodiscard]] std::string url(std::string_view database) const;
  [[nodiscard]] std::string socket_path() const;
  [[nodiscard]] std::string socket_directory() const { return directory_.path(); }

  void start();      // returns when it accepts connections; no effect while it runs
  void stop();       // a fast shutdown
  void crash();      // an immediate one: no checkpoint
  void kill();       // SIGKILL to all its processes
  void power_cut();  // kill(), and its files are what was synced of them
  void pause();      // SIGSTOP to all its processes: connections live, nothing is answered
  void resume();
  void promote();  // a standby becomes a primary; returns when it takes writes

  // Everything written so far counts as synced. Stops the server and starts it again.
  void settle_disk();
  void set_fsync(bool on) { options_.fsync = on; }  // from the next start on

  [[nodiscard]] std::string log() const;

 private:
  void end(int signal);
  void keep_synced();
  void make_files();
  [[nodiscard]] bool can_lose_power() const { return !options_.write_loss_library.empty(); }
  [[nodiscard]] std::filesystem::path data() const { return directory_.path() / "data"; }
  [[nodiscard]] std::filesystem::path synced() const { return directory_.path() / "synced"; }
  storage::ChildProcess run(std::vector<std::string> arguments, bool lossy);

  Options options_;
  TemporaryDirectory directory_;
  std::filesystem::path programs_;
  std::optional<storage::ProcessUser> user_;
  std::optional<storage::ChildProcess> server_;
  std::vector<pid_t> paused_;
};

}  // namespace hub::test
