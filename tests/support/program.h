#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/supervised_process.h"

namespace hub::test {

// What a program that has ended left behind.
struct Outcome {
  int exit_code = -1;  // -1: killed by a signal
  std::string out;
  std::string err;
};

struct RunOptions {
  std::vector<std::string> environment{};  // beside PATH and LC_ALL
  std::string directory{};                 // to run in; empty: /
  std::chrono::seconds bound{60};
};

// Runs a program to its end. arguments.front() is found on the PATH. Throws std::runtime_error
// when it cannot be started or does not end within the bound.
[[nodiscard]] Outcome run_program(const std::vector<std::string>& arguments,
                                  const RunOptions& options = {});

// Runs SQL, one statement or several, and returns the rows as psql shows them bare: columns joined
// by
// '|', rows by '\n'. By libpq in this process, as tests ask again and again. Throws
// std::runtime_error with PostgreSQL's words.
std::string psql(std::string_view url, std::string_view sql);

// A program that runs on while the test talks to it.
class RunningProgram {
 public:
  explicit RunningProgram(const std::vector<std::string>& arguments,
                          const RunOptions& options = {});

  // The first line of its output that begins so, without the end of line; throws
  // std::runtime_error with all that it wrote when it ends before, or when `bound` has passed.
  [[nodiscard]] std::string wait_for_line(std::string_view prefix,
                                          std::chrono::seconds bound = std::chrono::seconds(60));

  [[nodiscard]] storage::ChildProcess& process() { return process_; }
  [[nodiscard]] const storage::ChildProcess& process() const { return process_; }

  // Sends the signal and waits for the end; throws when `bound` has passed.
  storage::ExitStatus end(int signal, std::chrono::seconds bound = std::chrono::seconds(60));

  [[nodiscard]] std::string out() const;
  [[nodiscard]] std::string err() const;

 private:
  FileDescriptor out_;
  FileDescriptor err_;
  storage::ChildProcess process_;
};

// Calls `done` until it is true; false when `bound` has passed. For what happens in another
// process and cannot be waited for.
[[nodiscard]] bool eventually(const std::function<bool()>& done,
                              std::chrono::seconds bound = std::chrono::seconds(30));

}  // namespace hub::test
