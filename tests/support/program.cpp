#include "tests/support/program.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <memory>
#include <stdexcept>

namespace hub::test {
namespace {

using namespace std::chrono_literals;
using Clock = storage::ChildProcess::Clock;

FileDescriptor memory_file() {
  FileDescriptor file(::memfd_create("output", MFD_CLOEXEC));
  if (!file) throw std::runtime_error("memfd_create failed");
  return file;
}

std::string text_of(const FileDescriptor& file) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t size = 0; (size = ::pread(file.get(), buffer.data(), buffer.size(),
                                         static_cast<off_t>(text.size()))) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  return text;
}

storage::ChildProcess start(const std::vector<std::string>& arguments, const RunOptions& options,
                            int out, int err) {
  storage::ProcessSpec spec;
  spec.arguments = {"/usr/bin/env", "-C", options.directory.empty() ? "/" : options.directory};
  spec.arguments.insert(spec.arguments.end(), arguments.begin(), arguments.end());
  spec.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8"};
  spec.environment.insert(spec.environment.end(), options.environment.begin(),
                          options.environment.end());
  spec.output = out;
  spec.error_output = err;
  return storage::ChildProcess::start(spec);
}

// Waits without using up the processor, a little at a time, for what offers nothing to wait for.
void pause_for(std::chrono::milliseconds time) {
  ::poll(nullptr, 0, static_cast<int>(time.count()));
}

// Throws when the deadline passes before the next result is there.
void wait_for_result(PGconn* link, Clock::time_point deadline) {
  while (PQisBusy(link) == 1) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd ready{PQsocket(link), POLLIN, 0};
    if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) == 0) {
      throw std::runtime_error("the database does not answer");
    }
    if (PQconsumeInput(link) != 1) throw std::runtime_error(PQerrorMessage(link));
  }
}

void append_rows(const PGresult* result, std::string& text) {
  for (int row = 0; row < PQntuples(result); ++row) {
    if (!text.empty()) text += '\n';
    for (int column = 0; column < PQnfields(result); ++column) {
      if (column > 0) text += '|';
      text += PQgetvalue(result, row, column);
    }
  }
}

}  // namespace

Outcome run_program(const std::vector<std::string>& arguments, const RunOptions& options) {
  const auto out = memory_file();
  const auto err = memory_file();
  auto process = start(arguments, options, out.get(), err.get());
  const auto status = process.wait_until(Clock::now() + options.bound);
  if (!status) {
    throw std::runtime_error(fmt::format("{} did not end; it wrote: {}{}", arguments.front(),
                                         text_of(out), text_of(err)));
  }
  const int wait_status = status->wait_status;
  return {WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1, text_of(out), text_of(err)};
}

std::string psql(std::string_view url, std::string_view sql) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection{
      PQconnectdb(std::string(url).c_str()), &PQfinish};
  PGconn* const link = connection.get();
  if (PQstatus(link) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(link));
  PQsetNoticeProcessor(link, [](void*, const char*) {}, nullptr);
  if (PQsendQuery(link, std::string(sql).c_str()) != 1) {
    throw std::runtime_error(PQerrorMessage(link));
  }
  const auto deadline = Clock::now() + RunOptions{}.bound;
  std::string text;
  for (;;) {
    wait_for_result(link, deadline);
    const std::unique_ptr<PGresult, decltype(&PQclear)> result{PQgetResult(link), &PQclear};
    if (!result) return text;
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
      throw std::runtime_error(PQresultErrorMessage(result.get()));
    }
    append_rows(result.get(), text);
  }
}

RunningProgram::RunningProgram(const std::vector<std::string>& arguments, const RunOptions& options)
    : out_(memory_file()),
      err_(memory_file()),
      process_(start(arguments, options, out_.get(), err_.get())) {}

std::string RunningProgram::wait_for_line(std::string_view prefix, std::chrono::seconds bound) {
  const auto deadline = Clock::now() + bound;
  for (;;) {
    const bool ended = process_.wait_until(Clock::now()).has_value();
    const auto text = out();
    for (std::size_t start = 0; start < text.size();) {
      const auto end = text.find('\n', start);
      if (end == std::string::npos) break;
      const auto line = text.substr(start, end - start);
      if (line.starts_with(prefix)) return line;
      start = end + 1;
    }
    if (ended || Clock::now() > deadline) {
      throw std::runtime_error(fmt::format("{} before a line \"{}…\"; it wrote:\n{}\n{}",
                                           ended ? "the program ended" : "time passed", prefix,
                                           text, err()));
    }
    pause_for(5ms);
  }
}

storage::ExitStatus RunningProgram::end(int signal, std::chrono::seconds bound) {
  process_.signal(signal);
  const auto status = process_.wait_until(Clock::now() + bound);
  if (!status) throw std::runtime_error("the program did not end; it wrote:\n" + out() + err());
  return *status;
}

std::string RunningProgram::out() const { return text_of(out_); }
std::string RunningProgram::err() const { return text_of(err_); }

bool eventually(const std::function<bool()>& done, std::chrono::seconds bound) {
  const auto deadline = Clock::now() + bound;
  while (!done()) {
    if (Clock::now() > deadline) return false;
    pause_for(10ms);
  }
  return true;
}

}  // namespace hub::test
