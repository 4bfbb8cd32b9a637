#include "instances/provider/unit.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>

#include "instances/provider/program.h"

namespace hub::instances {
namespace {

using Clock = std::chrono::steady_clock;
using Next = ProviderError::Next;

constexpr std::size_t kLastBytes = 4096;
constexpr auto kKillTakesAtMost = std::chrono::seconds(10);

// Who has the keeper's lock: the kernel's word, so a pid that is not reused.
pid_t lock_holder(const UnitFolder& folder) {
  const FileDescriptor file(::open(folder.lock().c_str(), O_RDWR | O_CLOEXEC));
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (!file || ::fcntl(file.get(), F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return 0;
  return lock.l_pid;
}

std::string last_lines(const UnitFolder& folder) {
  auto text = read_file(folder.log()).value_or("");
  if (text.size() < kLastBytes) text = read_file(folder.old_log()).value_or("") + text;
  if (text.size() <= kLastBytes) return text;
  text.erase(0, text.size() - kLastBytes);
  return text.substr(text.find('\n') + 1);
}

}  // namespace

std::optional<ProcessHandle> Unit::keeper() const {
  const auto pid = lock_holder(folder_);
  auto handle = ProcessHandle::open(pid);
  // Asked again after the handle was made: the holder still has the lock, so it is the holder's.
  if (!handle || lock_holder(folder_) != pid) return std::nullopt;
  return handle;
}

ProcessStatus Unit::status() const {
  using State = ProcessStatus::State;
  ProcessStatus status;
  const auto text = read_file(folder_.state());
  const auto state = text ? parse_unit_state(*text) : std::nullopt;
  const bool kept = is_kept();
  if (!state && !kept) return status;
  if (state) {
    status.failures_in_a_row = state->failures_in_a_row;
    status.exit_code = state->exit_code;
    status.exit_signal = state->exit_signal;
  }
  if (!kept) {
    status.state = State::exited;
  } else if (state && state->process != 0) {
    status.state = State::running;
    status.pid = state->process;
  } else {
    status.state = State::waiting;
  }
  status.last_lines = last_lines(folder_);
  return status;
}

std::optional<std::string> Unit::fingerprint() const {
  if (!is_kept()) return std::nullopt;
  const auto text = read_file(folder_.state());
  const auto state = text ? parse_unit_state(*text) : std::nullopt;
  return state ? std::optional(state->fingerprint) : std::nullopt;
}

void Unit::start(const UnitSpec& spec, const std::filesystem::path& keeper_program,
                 int listener) const {
  end_orphan();
  std::filesystem::create_directories(folder_.path);
  std::filesystem::permissions(folder_.path, std::filesystem::perms::owner_all);
  Program program{{keeper_program.string()}, {}};
  auto arguments = to_arguments(spec);
  std::move(arguments.begin(), arguments.end(), std::back_inserter(program.arguments));
  program.inherited = listener;
  require_program(program, "starting " + spec.command.front());
}

void Unit::stop(std::chrono::milliseconds grace) const {
  if (const auto handle = keeper()) {
    handle->signal(SIGTERM);
    if (!handle->ended_by(Clock::now() + grace)) handle->signal(SIGQUIT);
    if (!handle->ended_by(Clock::now() + kKillTakesAtMost))
      throw ProviderError(Next::retry,
                          "the process kept in " + folder_.path.string() + " does not end");
  }
  end_orphan();
  std::error_code ignored;
  std::filesystem::remove(folder_.state(), ignored);
}

void Unit::end_orphan() const {
  const auto text = read_file(folder_.state());
  const auto state = text ? parse_unit_state(*text) : std::nullopt;
  if (!state || state->process == 0 || is_kept()) return;
  const auto orphan = ProcessHandle::open(state->process, state->process_start_time);
  // Its stop signal came when its keeper died.
  if (!orphan || orphan->ended_by(Clock::now() + kKillTakesAtMost)) return;
  orphan->signal(SIGKILL);
  if (!orphan->ended_by(Clock::now() + kKillTakesAtMost))
    throw ProviderError(Next::retry, fmt::format("process {} of {} does not end", state->process,
                                                 folder_.path.string()));
}

}  // namespace hub::instances
