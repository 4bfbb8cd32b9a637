#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/file_descriptor.h"

namespace hub::instances {

// A process, whoever started it. A pid alone may come to mean another process; a handle does not.
class ProcessHandle {
 public:
  // Nothing when no such process exists, or only its exit status is left of it.
  [[nodiscard]] static std::optional<ProcessHandle> open(pid_t pid);

  // Like open(), for the process that had this pid at the time that start_time() told.
  [[nodiscard]] static std::optional<ProcessHandle> open(pid_t pid, std::uint64_t start_time);

  void signal(int number) const;

  // False when it still runs at the deadline.
  [[nodiscard]] bool ended_by(std::chrono::steady_clock::time_point deadline) const;

 private:
  explicit ProcessHandle(FileDescriptor fd) : fd_(std::move(fd)) {}

  FileDescriptor fd_;
};

// Clock ticks after the machine's start, from /proc/PID/stat; nothing when it does not run.
[[nodiscard]] std::optional<std::uint64_t> start_time(pid_t pid);

[[nodiscard]] std::vector<pid_t> all_processes();

// Those whose parent is the calling process, ended ones among them.
[[nodiscard]] std::vector<pid_t> child_processes();

}  // namespace hub::instances
