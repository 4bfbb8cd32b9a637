#include "storage/supervised_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace hub::storage {
namespace {

// Descriptors that are handed over are first moved out of the way of those that a child has.
constexpr int kFirstFree = 16;

[[noreturn]] void fail(const std::string& what, int error) {
  throw std::system_error(error, std::generic_category(), what);
}

FileDescriptor moved_up(int descriptor) {
  FileDescriptor copy(::fcntl(descriptor, F_DUPFD_CLOEXEC, kFirstFree));
  if (!copy) fail("duplicate a descriptor", errno);
  return copy;
}

FileDescriptor moved_up_or_null(int descriptor) {
  if (descriptor >= 0) return moved_up(descriptor);
  const FileDescriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) fail("open /dev/null", errno);
  return moved_up(null.get());
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const auto& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

std::optional<ProcessUser> from_passwd(const passwd* entry) {
  if (entry == nullptr) return std::nullopt;
  ProcessUser user{entry->pw_uid, entry->pw_gid, entry->pw_name, entry->pw_dir, {}};
  int count = 64;
  user.groups.resize(count);
  while (::getgrouplist(entry->pw_name, entry->pw_gid, user.groups.data(), &count) < 0) {
    user.groups.resize(count);
  }
  user.groups.resize(count);
  return user;
}

// From here to exec only async-signal-safe calls: the parent has other threads.

// By bare system calls: the library's versions reach for the process's other threads.
bool take_on(const ProcessUser& user) noexcept {
  return ::syscall(SYS_setgroups, user.groups.size(), user.groups.data()) == 0 &&
         ::syscall(SYS_setgid, user.gid) == 0 && ::syscall(SYS_setuid, user.uid) == 0;
}

void restore_signals() noexcept {
  struct sigaction by_default{};
  by_default.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &by_default, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

struct ChildPlan {
  const ProcessSpec& spec;
  char* const* arguments;
  char* const* environment;
  int input, output, error_output, kept, report;
  pid_t parent;
};

[[noreturn]] void become(const ChildPlan& plan) noexcept {
  const auto give_up = [&] {
    const int error = errno;
    [[maybe_unused]] const auto written = ::write(plan.report, &error, sizeof error);
    ::_exit(127);
  };
  restore_signals();
  ::setsid();
  ::umask(077);
  if (::dup2(plan.input, STDIN_FILENO) < 0 || ::dup2(plan.output, STDOUT_FILENO) < 0 ||
      ::dup2(plan.error_output, STDERR_FILENO) < 0 ||
      (plan.kept >= 0 && ::dup2(plan.kept, ChildProcess::kKept) < 0)) {
    give_up();
  }
  const unsigned first_closed = ChildProcess::kKept + (plan.kept >= 0 ? 1 : 0);
  if (::close_range(first_closed, ~0U, CLOSE_RANGE_CLOEXEC) != 0) give_up();
  if (plan.spec.user && !take_on(*plan.spec.user)) give_up();
  // After the change of user, which clears it; the parent may have died before.
  if (::prctl(PR_SET_PDEATHSIG, plan.spec.death_signal) != 0) give_up();
  if (::getppid() != plan.parent) ::_exit(127);
  if (::chdir("/") != 0) give_up();
  ::execve(plan.arguments[0], plan.arguments, plan.environment);
  give_up();
  ::_exit(127);
}

}  // namespace

// Not by <sys/pidfd.h>: Debian 12's does not declare its functions as C.
FileDescriptor watch_process(pid_t pid) noexcept {
  return FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

std::optional<ProcessUser> ProcessUser::named(const std::string& name) {
  return from_passwd(::getpwnam(name.c_str()));
}

std::optional<ProcessUser> ProcessUser::with_id(uid_t uid) { return from_passwd(::getpwuid(uid)); }

std::string ExitStatus::to_string() const {
  if (WIFSIGNALED(wait_status)) {
    const auto* name = ::sigabbrev_np(WTERMSIG(wait_status));
    return fmt::format("was killed by SIG{}", name != nullptr ? name : "?");
  }
  return fmt::format("exited with status {}", WEXITSTATUS(wait_status));
}

ChildProcess ChildProcess::start(const ProcessSpec& spec) {
  const auto arguments = pointers(spec.arguments);
  const auto environment = pointers(spec.environment);
  const auto input = moved_up_or_null(spec.input);
  const auto output = moved_up_or_null(spec.output);
  const auto error_output =
      spec.error_output >= 0 ? moved_up(spec.error_output) : moved_up(output.get());
  const auto kept = spec.kept >= 0 ? moved_up(spec.kept) : FileDescriptor{};

  std::array<int, 2> report_ends{};
  if (::pipe2(report_ends.data(), O_CLOEXEC) != 0) fail("make a pipe", errno);
  const FileDescriptor report_read(report_ends[0]);
  FileDescriptor report_write(report_ends[1]);
  FileDescriptor report_moved = moved_up(report_write.get());

  const ChildPlan plan{.spec = spec,
                       .arguments = arguments.data(),
                       .environment = environment.data(),
                       .input = input.get(),
                       .output = output.get(),
                       .error_output = error_output.get(),
                       .kept = kept.get(),
                       .report = report_moved.get(),
                       .parent = ::getpid()};
  const pid_t pid = ::fork();
  if (pid < 0) fail("fork", errno);
  if (pid == 0) become(plan);
  report_write = FileDescriptor{};
  report_moved = FileDescriptor{};
  ChildProcess child(pid, watch_process(pid));

  int error = 0;
  if (::read(report_read.get(), &error, sizeof error) == sizeof error) {
    child.wait_until(Clock::time_point::max());
    fail("start " + spec.arguments.front(), error);
  }
  if (!child.descriptor_) fail("watch a process", errno);
  return child;
}

ChildProcess::ChildProcess(pid_t pid, FileDescriptor descriptor) noexcept
    : pid_(pid), descriptor_(std::move(descriptor)) {}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      descriptor_(std::move(other.descriptor_)),
      status_(other.status_) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(status_, other.status_);
  return *this;
}

ChildProcess::~ChildProcess() {
  if (pid_ < 0 || status_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void ChildProcess::signal(int number) noexcept {
  if (pid_ > 0 && !status_) ::kill(pid_, number);
}

std::optional<ExitStatus> ChildProcess::wait_until(Clock::time_point deadline) {
  while (!status_) {
    int wait_status = 0;
    const bool forever = deadline == Clock::time_point::max();
    const pid_t ended = ::waitpid(pid_, &wait_status, forever ? 0 : WNOHANG);
    if (ended == pid_) {
      status_ = ExitStatus{wait_status};
      break;
    }
    if (ended < 0 && errno != EINTR) fail("wait for a process", errno);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return std::nullopt;
    pollfd ready{descriptor_.get(), POLLIN, 0};
    ::poll(&ready, 1, static_cast<int>(std::min<long>(left.count(), 60'000)));
  }
  return status_;
}

bool is_running(pid_t pid) noexcept {
  const auto process = watch_process(pid);
  pollfd ended{process.get(), POLLIN, 0};
  return process && ::poll(&ended, 1, 0) == 0;
}

bool can_write_in(const ProcessUser& user, const std::string& directory) {
  if (::geteuid() == user.uid) return ::access(directory.c_str(), W_OK | X_OK) == 0;
  // Only a process of that user can tell: modes, groups and access lists all count.
  const pid_t pid = ::fork();
  if (pid < 0) fail("fork", errno);
  if (pid == 0) {
    const bool yes = take_on(user) && ::access(directory.c_str(), W_OK | X_OK) == 0;
    ::_exit(yes ? 0 : 1);
  }
  int wait_status = 0;
  while (::waitpid(pid, &wait_status, 0) < 0 && errno == EINTR) {
  }
  return wait_status == 0;
}

}  // namespace hub::storage
