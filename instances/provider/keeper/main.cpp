// iothub-keeper: keeps one process of an instance running, also while the control plane is away.
//
// Started by the control plane, which waits until the first process exists: the command then ends
// with 0, and the keeper goes on in a session of its own. It ends with 1 and a message when the
// process cannot be started, and nothing stays.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "instances/provider/keeper/keeper.h"

namespace {

using hub::FileDescriptor;
using hub::instances::Keeper;
using hub::instances::parse_unit_arguments;
using hub::instances::UnitSpec;

// An empty report is good news.
[[noreturn]] void report_and_exit(const FileDescriptor& report, const std::string& text) {
  [[maybe_unused]] const auto written = ::write(report.get(), text.data(), text.size());
  ::_exit(1);
}

void leave_the_terminal() {
  const FileDescriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int fd : {0, 1, 2}) ::dup2(null.get(), fd);
}

[[noreturn]] void keep(const UnitSpec& spec, FileDescriptor report) {
  ::setsid();
  [[maybe_unused]] const int moved = ::chdir("/");
  try {
    Keeper keeper(spec);
    keeper.start();
    leave_the_terminal();
    report = {};
    keeper.run();
  } catch (const std::exception& error) {
    if (report) report_and_exit(report, error.what());
    ::_exit(1);
  }
  ::_exit(0);
}

int wait_for_report(const FileDescriptor& report, pid_t keeper) {
  std::array<char, 2048> text;
  const auto size = ::read(report.get(), text.data(), text.size());
  if (size == 0) {
    // Closed without a word: it keeps its process, or it died.
    int status = 0;
    if (::waitpid(keeper, &status, WNOHANG) == 0) return 0;
    std::fputs("the keeper died\n", stderr);
    return 1;
  }
  std::fprintf(stderr, "%.*s\n", static_cast<int>(size), text.data());
  ::waitpid(keeper, nullptr, 0);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  UnitSpec spec;
  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    spec = parse_unit_arguments(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "iothub-keeper: %s; it is run by `iothub manage serve`\n", error.what());
    return 2;
  }
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return 1;
  FileDescriptor read_end(ends[0]);
  FileDescriptor write_end(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) {
    std::perror("fork");
    return 1;
  }
  if (pid == 0) {
    read_end = {};
    keep(spec, std::move(write_end));
  }
  write_end = {};
  return wait_for_report(read_end, pid);
}
