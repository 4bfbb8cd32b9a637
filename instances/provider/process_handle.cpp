#include "instances/provider/process_handle.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace hub::instances {
namespace {

struct ProcessStat {
  char state = 0;
  pid_t parent = 0;
  std::uint64_t start_time = 0;
};

std::optional<ProcessStat> read_stat(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  // The second field is the program's name in parentheses, and may itself hold any of them.
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  ProcessStat stat;
  std::string skipped;
  fields >> stat.state >> stat.parent;
  for (int field = 5; field < 22; ++field) fields >> skipped;
  fields >> stat.start_time;
  if (!fields) return std::nullopt;
  return stat;
}

}  // namespace

std::optional<ProcessHandle> ProcessHandle::open(pid_t pid) {
  if (pid <= 0) return std::nullopt;
  FileDescriptor fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd || !hub::instances::start_time(pid)) return std::nullopt;
  return ProcessHandle(std::move(fd));
}

std::optional<ProcessHandle> ProcessHandle::open(pid_t pid, std::uint64_t start_time) {
  auto handle = open(pid);
  // Asked after the handle was made: were it another process, its start time would differ.
  if (!handle || hub::instances::start_time(pid) != start_time) return std::nullopt;
  return handle;
}

void ProcessHandle::signal(int number) const {
  ::syscall(SYS_pidfd_send_signal, fd_.get(), number, nullptr, 0);
}

bool ProcessHandle::ended_by(std::chrono::steady_clock::time_point deadline) const {
  pollfd polled{fd_.get(), POLLIN, 0};
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const auto result = ::poll(&polled, 1, std::max<int>(0, static_cast<int>(left.count())));
    if (result > 0) return true;
    if (result == 0) return false;
  }
}

std::optional<std::uint64_t> start_time(pid_t pid) {
  const auto stat = read_stat(pid);
  if (!stat || stat->state == 'Z' || stat->state == 'X') return std::nullopt;
  return stat->start_time;
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const auto name = entry.path().filename().string();
    pid_t pid = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (parsed.ec == std::errc{} && parsed.ptr == name.data() + name.size()) pids.push_back(pid);
  }
  return pids;
}

std::vector<pid_t> child_processes() {
  std::vector<pid_t> children;
  for (const auto pid : all_processes()) {
    const auto stat = read_stat(pid);
    if (stat && stat->parent == ::getpid()) children.push_back(pid);
  }
  return children;
}

}  // namespace hub::instances
