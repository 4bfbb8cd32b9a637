#include "instances/provider/keeper/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "base/file_descriptor.h"
#include "instances/provider/program.h"

namespace hub::instances {
namespace {

// A step that failed on the way to exec; told to the keeper through a pipe.
struct StepFailed {
  std::string step;
  int error;
};

void require(bool good, std::string_view step) {
  if (!good) throw StepFailed{std::string(step), errno};
}

void join_cgroups(const UnitSpec& spec) {
  for (const auto& cgroup : spec.cgroups) {
    const auto path = cgroup / "cgroup.procs";
    const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    require(file && ::write(file.get(), "0", 1) == 1, "joining cgroup " + cgroup.string());
  }
}

void enter_namespace(const UnitSpec& spec) {
  if (spec.network_namespace.empty()) return;
  const FileDescriptor file(::open(spec.network_namespace.c_str(), O_RDONLY | O_CLOEXEC));
  require(file && ::setns(file.get(), CLONE_NEWNET) == 0,
          "entering namespace " + spec.network_namespace.string());
}

void become_user(uid_t user) {
  if (user == 0) return;
  require(::setgroups(0, nullptr) == 0, "dropping groups");
  require(::setresgid(user, user, user) == 0, "taking on its group");
  require(::setresuid(user, user, user) == 0, "taking on its user");
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void arrange_descriptors(const UnitSpec& spec, int output, int report) {
  const int null = ::open("/dev/null", O_RDONLY);
  require(null >= 0 && ::dup2(null, 0) == 0, "standard input");
  require(::dup2(output, 1) == 1 && ::dup2(output, 2) == 2, "standard output");
  const unsigned first = spec.has_listener ? kListener + 1 : kListener;
  require(::dup2(report, static_cast<int>(first)) >= 0 &&
              ::fcntl(static_cast<int>(first), F_SETFD, FD_CLOEXEC) == 0 &&
              ::close_range(first + 1, ~0U, 0) == 0,
          "closing descriptors");
}

std::vector<std::string> environment(const UnitSpec& spec) {
  auto variables = clean_environment();
  variables.push_back("HOME=" + spec.working_directory.string());
  if (spec.has_listener) {
    variables.emplace_back("LISTEN_FDS=1");
    variables.push_back(fmt::format("LISTEN_PID={}", ::getpid()));
  }
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (auto& string : strings) result.push_back(string.data());
  result.push_back(nullptr);
  return result;
}

[[noreturn]] void become(const UnitSpec& spec, pid_t keeper, int output, int report) {
  auto command = spec.command;
  try {
    ::setsid();
    join_cgroups(spec);
    enter_namespace(spec);
    require(::chdir(spec.working_directory.c_str()) == 0,
            "entering " + spec.working_directory.string());
    raise_descriptor_limit();
    become_user(spec.user);
    require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "giving up privileges");
    // After the change of user, which clears it.
    require(::prctl(PR_SET_PDEATHSIG, spec.stop_signal) == 0, "tying it to its keeper");
    if (::getppid() != keeper) ::_exit(0);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    arrange_descriptors(spec, output, report);
    report = spec.has_listener ? kListener + 1 : kListener;
    auto variables = environment(spec);
    ::execve(command.front().c_str(), pointers(command).data(), pointers(variables).data());
    require(false, "running " + command.front());
  } catch (const StepFailed& failed) {
    const auto text = fmt::format("{}: {}", failed.step, std::strerror(failed.error));
    [[maybe_unused]] const auto written = ::write(report, text.data(), text.size());
  }
  ::_exit(127);
}

}  // namespace

pid_t start_child(const UnitSpec& spec, int output) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::runtime_error(fmt::format("pipe2: {}", std::strerror(errno)));
  const FileDescriptor read_end(ends[0]);
  FileDescriptor write_end(ends[1]);
  const pid_t keeper = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error(fmt::format("fork: {}", std::strerror(errno)));
  if (pid == 0) become(spec, keeper, output, write_end.get());

  // Ends at the exec, which closes the other end.
  write_end = {};
  std::array<char, 1024> text;
  const auto size = ::read(read_end.get(), text.data(), text.size());
  if (size <= 0) return pid;
  ::waitpid(pid, nullptr, 0);
  throw std::runtime_error(std::string(text.data(), static_cast<std::size_t>(size)));
}

}  // namespace hub::instances
