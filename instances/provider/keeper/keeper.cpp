#include "instances/provider/keeper/keeper.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "instances/provider/keeper/child.h"
#include "instances/provider/process_handle.h"

namespace hub::instances {
namespace {

FileDescriptor take_lock(const UnitFolder& folder) {
  FileDescriptor file(::open(folder.lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file)
    throw std::runtime_error(
        fmt::format("opening {}: {}", folder.lock().string(), std::strerror(errno)));
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(file.get(), F_SETLK, &lock) != 0)
    throw std::runtime_error("another keeper has " + folder.path.string());
  return file;
}

FileDescriptor take_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&signals, number);
  ::sigprocmask(SIG_SETMASK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return FileDescriptor(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

std::string describe_end(const UnitState& state) {
  return state.exit_code ? fmt::format("ended with exit code {}", *state.exit_code)
                         : fmt::format("was ended by signal {}", state.exit_signal.value_or(0));
}

}  // namespace

Keeper::Keeper(UnitSpec spec)
    : spec_(std::move(spec)),
      folder_{spec_.folder},
      lock_(take_lock(folder_)),
      signals_(take_signals()),
      log_(folder_) {
  state_.fingerprint = spec_.fingerprint;
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void Keeper::start() {
  state_.process = start_child(spec_, log_.write_end());
  state_.process_start_time = start_time(state_.process).value_or(0);
  started_ = Clock::now();
  next_start_.reset();
  write_state();
}

void Keeper::run() {
  while (!(stopping_ && state_.process == 0)) {
    std::array<pollfd, 2> polled{pollfd{signals_.get(), POLLIN, 0},
                                 pollfd{log_.read_end(), POLLIN, 0}};
    ::poll(polled.data(), polled.size(), wait_milliseconds());
    log_.copy();
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info)
      handle_signal(static_cast<int>(info.ssi_signo));
    if (next_start_ && *next_start_ <= Clock::now() && !stopping_) start_again();
  }
  ::unlink(folder_.state().c_str());
}

void Keeper::handle_signal(int number) {
  switch (number) {
    case SIGCHLD:
      reap();
      break;
    case SIGTERM:
    case SIGQUIT:
      stopping_ = true;
      if (state_.process != 0)
        ::kill(state_.process, number == SIGQUIT ? SIGKILL : spec_.stop_signal);
      break;
    default:
      break;  // a terminal's: not for a process that outlives it
  }
}

void Keeper::reap() {
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;)
    if (pid == state_.process) note_end(status);
}

void Keeper::note_end(int wait_status) {
  end_descendants();
  log_.copy();
  state_.process = 0;
  state_.process_start_time = 0;
  state_.exit_code.reset();
  state_.exit_signal.reset();
  if (WIFEXITED(wait_status)) {
    state_.exit_code = WEXITSTATUS(wait_status);
  } else {
    state_.exit_signal = WTERMSIG(wait_status);
  }
  if (stopping_) return;

  const auto now = Clock::now();
  if (now - started_ >= spec_.steady_after) state_.failures_in_a_row = 0;
  ++state_.failures_in_a_row;
  const auto doublings = std::min<std::uint32_t>(state_.failures_in_a_row - 1, 16);
  const auto pause = std::min(spec_.first_pause * (1 << doublings), spec_.longest_pause);
  next_start_ = now + pause;
  log_.note(fmt::format("the process {}; it is started again in {} ms", describe_end(state_),
                        pause.count()));
  write_state();
}

void Keeper::end_descendants() {
  // Children of an ended process become this one's; their children follow when they end.
  for (auto children = child_processes(); !children.empty(); children = child_processes()) {
    for (const auto pid : children) ::kill(pid, SIGKILL);
    for (const auto pid : children) ::waitpid(pid, nullptr, 0);
  }
}

void Keeper::start_again() {
  try {
    start();
  } catch (const std::exception& error) {
    next_start_ = Clock::now() + spec_.longest_pause;
    ++state_.failures_in_a_row;
    log_.note(fmt::format("the process cannot be started: {}", error.what()));
    write_state();
  }
}

void Keeper::write_state() {
  try {
    replace_file(folder_.state(), to_text(state_), 0600);
  } catch (const std::system_error& error) {
    // A full disk: the process is kept all the same, only nobody can read how it is.
    log_.note(error.what());
  }
}

int Keeper::wait_milliseconds() const {
  if (!next_start_ || stopping_) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next_start_ - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(0, left.count()));
}

}  // namespace hub::instances
