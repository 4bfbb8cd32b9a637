#include "tests/chaos/hub_under_test.h"

#include <fmt/format.h>

#include <chrono>
#include <sstream>
#include <stdexcept>

#include "tests/chaos/workload.h"

namespace hub::test {
namespace {

constexpr std::chrono::seconds kStartBound{90};
constexpr std::size_t kLogBytes = 64 * 1024;

std::string last_lines(std::string text) {
  if (text.size() > kLogBytes) text.erase(0, text.find('\n', text.size() - kLogBytes) + 1);
  return text;
}

}  // namespace

HubUnderTest::HubUnderTest(std::string database_url, HubAddress& address)
    : address_(address),
      process_({.database = std::move(database_url),
                .rules = rule_file(),
                .shards = 2,
                .more = {"--storage-answer-timeout", "2s", "--storage-held-bytes", "4 MiB"}}) {
  address_.set(process_.port());
}

void HubUnderTest::kill() {
  if (!running_) return;
  note_end();
  process_.kill();
}

void HubUnderTest::stop() {
  if (!running_) return;
  note_end();
  if (process_.stop() != 0) ++failed_stops_;
}

void HubUnderTest::note_end() {
  (void)peak_memory_bytes();
  address_.clear();
  running_ = false;
  logs_ = last_lines(logs_ + process_.log());
}

std::string HubUnderTest::log() const {
  return running_ ? last_lines(logs_ + process_.log()) : logs_;
}

void HubUnderTest::start() {
  if (running_) return;
  const auto until = std::chrono::steady_clock::now() + kStartBound;
  for (;;) {
    try {
      process_.start();
      break;
    } catch (const std::runtime_error&) {  // the database is away
      if (std::chrono::steady_clock::now() > until) throw;
    }
  }
  running_ = true;
  address_.set(process_.port());
}

std::size_t HubUnderTest::peak_memory_bytes() {
  if (running_) {
    std::istringstream status{read_file(fmt::format("/proc/{}/status", process_.pid()))};
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmHWM:")) {
        peak_memory_bytes_ =
            std::max(peak_memory_bytes_, std::size_t{std::stoull(line.substr(6))} * 1024);
      }
    }
  }
  return peak_memory_bytes_;
}

}  // namespace hub::test
