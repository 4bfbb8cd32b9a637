#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "base/file_descriptor.h"

namespace hub::storage {

// A user of this machine, as a child process takes it on.
struct ProcessUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
  std::string home;
  std::vector<gid_t> groups;

  // Nothing when the machine has no such user.
  static std::optional<ProcessUser> named(const std::string& name);
  static std::optional<ProcessUser> with_id(uid_t uid);
};

struct ProcessSpec {
  std::vector<std::string> arguments;    // the first is the program's path
  std::vector<std::string> environment;  // all of it: "NAME=value"
  std::optional<ProcessUser> user;       // unset: the user of this process. Setting it needs root
  int input = -1;                        // borrowed; -1: /dev/null
  int output = -1;                       // borrowed; -1: /dev/null
  int error_output = -1;                 // borrowed; -1: where output goes
  int kept = -1;                         // borrowed; the child has it as ChildProcess::kKept

  // Sent by the kernel when the thread that called ChildProcess::start ends, and so also when
  // this process is killed.
  int death_signal = SIGKILL;
};

// How a process ended.
struct ExitStatus {
  int wait_status = 0;  // as waitpid(2) gives it

  [[nodiscard]] bool success() const noexcept { return wait_status == 0; }
  [[nodiscard]] std::string to_string() const;  // "exited with status 1", "was killed by SIGKILL"
};

// A child process that does not outlive its parent, has a session of its own (so that Ctrl-C at
// the terminal is the parent's alone) and inherits no descriptor but those of its ProcessSpec.
class ChildProcess {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr int kKept = 3;

  // Throws std::system_error when the program cannot be started as the specification says.
  static ChildProcess start(const ProcessSpec& spec);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();  // kills a process that has not been waited for

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  // Readable once the process has ended; for poll(2).
  [[nodiscard]] int descriptor() const noexcept { return descriptor_.get(); }

  void signal(int number) noexcept;

  // The status once the process has ended; nothing when it still runs at `deadline`.
  std::optional<ExitStatus> wait_until(Clock::time_point deadline);

 private:
  explicit ChildProcess(pid_t pid, FileDescriptor descriptor) noexcept;

  pid_t pid_ = -1;
  FileDescriptor descriptor_;
  std::optional<ExitStatus> status_;
};

// A descriptor that becomes readable when the process ends; not open when there is no such process.
[[nodiscard]] FileDescriptor watch_process(pid_t pid) noexcept;

// Whether the process runs: one that has ended and that nobody has waited for does not.
[[nodiscard]] bool is_running(pid_t pid) noexcept;

// Whether `user` may enter and write in a directory, the way to it included.
[[nodiscard]] bool can_write_in(const ProcessUser& user, const std::string& directory);

}  // namespace hub::storage
