#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "base/file_descriptor.h"
#include "instances/provider/keeper/bounded_log.h"
#include "instances/provider/unit_files.h"

namespace hub::instances {

// Keeps one process running: starts it, writes down how it is, starts it again when it ends.
//
// The process is told to stop when its keeper dies, however that happens, so that it never runs
// without one. Its descendants are the keeper's to inherit, and end before it is started again.
//
//   SIGTERM   stop the process with its stop signal, then end
//   SIGQUIT   kill it, then end
//
// One thread. Owns the calling process: its signals, its children.
class Keeper {
 public:
  // Takes the folder's lock; throws std::runtime_error when another keeper has it.
  explicit Keeper(UnitSpec spec);

  // Starts the process for the first time; throws std::runtime_error when it cannot be started.
  void start();

  // Returns when a signal has asked for the end and the process and its descendants have ended.
  void run();

 private:
  using Clock = std::chrono::steady_clock;

  void note_end(int wait_status);
  void end_descendants();
  void handle_signal(int number);
  void reap();
  void start_again();
  void write_state();
  [[nodiscard]] int wait_milliseconds() const;

  UnitSpec spec_;
  UnitFolder folder_;
  FileDescriptor lock_;
  FileDescriptor signals_;
  BoundedLog log_;
  UnitState state_;
  Clock::time_point started_;
  std::optional<Clock::time_point> next_start_;
  bool stopping_ = false;
};

}  // namespace hub::instances
