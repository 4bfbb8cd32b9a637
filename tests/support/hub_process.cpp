#include "tests/support/hub_process.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <csignal>
#include <stdexcept>

namespace hub::test {

std::string built_program(std::string_view name) {
  return fmt::format("{}/{}", HUB_BINARY_DIR, name);
}

HubProcess::HubProcess(Options options) : options_(std::move(options)) {
  // When root runs the test, PostgreSQL's user gets to the data directory and its socket.
  std::filesystem::permissions(directory_.path(), std::filesystem::perms(0755));
  if (!options_.rules.empty()) directory_.write("rules.toml", options_.rules);
  launch();
  if (options_.wait_until_ready) wait_until_ready();
}

HubProcess::~HubProcess() {
  if (!running()) return;
  try {
    stop();  // so that the database has left the directory before that is removed
  } catch (const std::exception&) {
    program_.reset();
  }
}

void HubProcess::start() {
  launch();
  wait_until_ready();
}

void HubProcess::launch() {
  std::vector<std::string> arguments{
      built_program("iothub"),         "serve",      "--mqtt-port",   "0", "--shards",
      std::to_string(options_.shards), "--data-dir", data_directory()};
  if (!options_.database.empty()) {
    arguments.insert(arguments.end(), {"--database", options_.database});
  }
  if (!options_.rules.empty()) {
    arguments.insert(arguments.end(), {"--rules", (directory_.path() / "rules.toml").string()});
  }
  arguments.insert(arguments.end(), options_.more.begin(), options_.more.end());
  program_ = std::make_unique<RunningProgram>(
      arguments, RunOptions{.environment = options_.environment, .directory = {}, .bound = {}});
}

void HubProcess::wait_until_ready() {
  ready_line_ = program_->wait_for_line("ready ");
  const std::size_t space = ready_line_.find(' ', 6);
  const std::size_t colon = ready_line_.rfind(':', space);
  if (colon == std::string::npos) throw std::runtime_error("no port in: " + ready_line_);
  port_ = static_cast<std::uint16_t>(std::stoi(ready_line_.substr(colon + 1)));
}

void HubProcess::kill() {
  program_->end(SIGKILL);
  program_.reset();
}

int HubProcess::stop(int signal) {
  const storage::ExitStatus status = program_->end(signal);
  program_.reset();
  return WIFEXITED(status.wait_status) ? WEXITSTATUS(status.wait_status) : -1;
}

std::string HubProcess::database_url() const {
  if (!options_.database.empty()) return options_.database;
  const Outcome url =
      run_program({built_program("iothub"), "db", "url", "--data-dir", data_directory()});
  return url.out.substr(0, url.out.find('\n'));
}

}  // namespace hub::test
