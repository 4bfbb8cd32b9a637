#pragma once

#include <atomic>
#include <future>
#include <mutex>
#include <string>
#include <thread>

#include "storage/data_directory.h"
#include "storage/embedded_cluster.h"

namespace hub::storage {

// The hub's own PostgreSQL: made on first use, run as a child of this process and watched by a
// thread, started anew when it dies, stopped with this object. See EmbeddedCluster for where it
// is and who may connect.
//
// However this process ends, the server ends too: the kernel tells it when the watching thread is
// gone. The next start waits for it, and recovers what it left.
class EmbeddedDatabase {
 public:
  // The directory must outlive this object. Throws EmbeddedDatabaseError when PostgreSQL is not
  // installed, of another major version than the cluster, or has no user to run as.
  explicit EmbeddedDatabase(const DataDirectory& directory);
  ~EmbeddedDatabase();  // as stop()

  EmbeddedDatabase(const EmbeddedDatabase&) = delete;
  EmbeddedDatabase& operator=(const EmbeddedDatabase&) = delete;

  // Returns when the database accepts connections; about half a second at first, less later, and
  // as long as it takes after a crash, with a line in the log now and then. Once only.
  // Throws EmbeddedDatabaseError with the end of the server's log when it does not start.
  void start();

  // Waits for what is under way to commit, breaks open connections, and stops the server within
  // 45 seconds at most. Any thread, any number of times; start() on another thread then fails.
  void stop() noexcept;

  // Stays the same for the life of the data directory, whether the server runs or not.
  [[nodiscard]] const std::string& url() const noexcept { return cluster_.url(); }

  // Of the server that was started last; 0 before.
  [[nodiscard]] pid_t pid() const noexcept { return pid_.load(); }

 private:
  void supervise(std::promise<void> started);
  [[nodiscard]] ChildProcess launch();
  void wait_for_previous_server();
  [[nodiscard]] bool await_ready(ChildProcess& server);
  // True when the server ended, false when stop() was called.
  [[nodiscard]] bool watch(ChildProcess& server);
  void shut_down(ChildProcess& server) noexcept;
  [[nodiscard]] bool stop_requested_within(std::chrono::milliseconds time, int descriptor = -1);

  EmbeddedCluster cluster_;
  FileDescriptor stop_event_;
  std::atomic<pid_t> pid_{0};
  std::thread thread_;
  std::once_flag joined_;
};

}  // namespace hub::storage
