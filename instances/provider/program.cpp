#include "instances/provider/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/file_descriptor.h"
#include "instances/provider/provider.h"

extern char** environ;

namespace hub::instances {
namespace {

using Clock = std::chrono::steady_clock;
using Next = ProviderError::Next;

[[noreturn]] void fail(std::string_view what, int error) {
  throw ProviderError(Next::retry, fmt::format("{}: {}", what, std::strerror(error)));
}

// A memory file rather than a pipe: a program that does not read its input is then no SIGPIPE.
FileDescriptor input_file(std::string_view text) {
  FileDescriptor file(::memfd_create("input", MFD_CLOEXEC));
  if (!file) fail("memfd_create", errno);
  while (!text.empty()) {
    const auto written = ::write(file.get(), text.data(), text.size());
    if (written < 0) fail("writing a program's input", errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

struct Pipe {
  FileDescriptor read_end, write_end;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2", errno);
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (auto& string : strings) result.push_back(string.data());
  result.push_back(nullptr);
  return result;
}

struct Descriptors {
  int input, output, error, inherited;
};

// In the child: only calls that are safe after a fork of a process with threads.
[[noreturn]] void become(const char* path, char* const* arguments, char* const* environment,
                         const Descriptors& descriptors, pid_t parent) {
  // A program does not go on with what its caller will never know of.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  ::dup2(descriptors.input, 0);
  ::dup2(descriptors.output, 1);
  ::dup2(descriptors.error, 2);
  if (descriptors.inherited == 3) ::fcntl(3, F_SETFD, 0);
  if (descriptors.inherited > 3) ::dup2(descriptors.inherited, 3);
  ::close_range(descriptors.inherited >= 0 ? 4 : 3, ~0U, 0);
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(path, arguments, environment);
  ::_exit(127);
}

// Returns false at the deadline.
bool read_both(FileDescriptor& output, FileDescriptor& error, ProgramResult& result,
               Clock::time_point deadline) {
  std::array<pollfd, 2> polled{pollfd{output.get(), POLLIN, 0}, pollfd{error.get(), POLLIN, 0}};
  std::array<std::string*, 2> texts{&result.output, &result.error};
  while (polled[0].fd >= 0 || polled[1].fd >= 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    if (::poll(polled.data(), polled.size(), static_cast<int>(left)) < 0 && errno != EINTR)
      fail("poll", errno);
    for (std::size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].fd < 0 || polled[i].revents == 0) continue;
      std::array<char, 16384> buffer;
      const auto count = ::read(polled[i].fd, buffer.data(), buffer.size());
      if (count > 0) texts[i]->append(buffer.data(), static_cast<std::size_t>(count));
      if (count == 0 || (count < 0 && errno != EINTR)) polled[i].fd = -1;
    }
  }
  return true;
}

}  // namespace

std::optional<std::filesystem::path> find_program(std::string_view name) {
  if (name.find('/') != std::string_view::npos)
    return ::access(std::string(name).c_str(), X_OK) == 0
               ? std::optional<std::filesystem::path>(name)
               : std::nullopt;
  for (const auto* directory :
       {"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"}) {
    auto path = std::filesystem::path(directory) / name;
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return std::nullopt;
}

std::vector<std::string> clean_environment() {
  std::vector<std::string> result{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    for (const std::string_view kept :
         {"TZ=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "TSAN_OPTIONS=", "LSAN_OPTIONS="})
      if (text.starts_with(kept)) result.emplace_back(text);
  }
  return result;
}

ProgramResult run_program(const Program& program) {
  auto arguments = program.arguments;
  const auto path = find_program(arguments.at(0));
  if (!path) throw ProviderError(Next::give_up, fmt::format("no program {}", arguments[0]));

  const auto input = input_file(program.input);
  auto output = make_pipe();
  auto error = make_pipe();
  auto environment = clean_environment();
  const auto argument_pointers = pointers(arguments);
  const auto environment_pointers = pointers(environment);
  const Descriptors descriptors{input.get(), output.write_end.get(), error.write_end.get(),
                                program.inherited};
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) fail(fmt::format("starting {}", path->string()), errno);
  if (pid == 0)
    become(path->c_str(), argument_pointers.data(), environment_pointers.data(), descriptors,
           parent);
  output.write_end = {};
  error.write_end = {};

  ProgramResult result;
  const bool in_time =
      read_both(output.read_end, error.read_end, result, Clock::now() + program.limit);
  if (!in_time) ::kill(pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!in_time)
    throw ProviderError(Next::retry, fmt::format("{} took longer than {} ms and was ended",
                                                 path->string(), program.limit.count()));
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::string require_program(const Program& program, std::string_view what) {
  auto result = run_program(program);
  if (result.exit_code != 0) {
    while (!result.error.empty() && result.error.back() == '\n') result.error.pop_back();
    throw ProviderError(Next::retry,
                        fmt::format("{}: {} ended with {}: {}", what, program.arguments[0],
                                    result.exit_code, result.error));
  }
  return std::move(result.output);
}

}  // namespace hub::instances
