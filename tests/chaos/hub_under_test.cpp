#include "tests/chaos/hub_under_test.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tests/chaos/workload.h"

namespace hub::test {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kStartBound{90};
constexpr std::size_t kLogBytes = 64 * 1024;

std::string last_lines(std::string text) {
  if (text.size() > kLogBytes) text.erase(0, text.find('\n', text.size() - kLogBytes) + 1);
  return text;
}

}  // namespace

HubUnderTest::HubUnderTest(std::string database_url, HubAddress& address, Options options)
    : address_(address),
      options_(options),
      process_((fs::create_directory(synced()), process_options(std::move(database_url)))) {
  address_.set(process_.port());
}

HubProcess::Options HubUnderTest::process_options(std::string database_url) const {
  HubProcess::Options out;
  out.database = std::move(database_url);
  out.rules = rule_file();
  out.shards = 2;
  out.more = {"--storage-answer-timeout", "2s", "--storage-held-bytes", "4 MiB"};
  if (options_.spools) {
    out.more.insert(out.more.end(), {"--storage-outage", "spool", "--storage-spool-after", "1s",
                                     "--storage-spool-size", "64 MiB"});
  }
  if (options_.can_lose_power) {
    out.environment = {std::string("LD_PRELOAD=") + HUB_WRITE_LOSS_LIBRARY,
                       "WRITE_LOSS_SYNCED=" + synced()};
    if (options_.disk_lies) out.environment.emplace_back("WRITE_LOSS_LIES=.log");
  }
  return out;
}

void HubUnderTest::cut_power() {
  kill();
  for (const auto& entry : fs::directory_iterator(process_.directory().path() / "data/spool")) {
    struct stat info{};
    if (::lstat(entry.path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    const std::string kept = read_file(synced() + "/" + std::to_string(info.st_ino));
    std::ofstream to(entry.path(), std::ios::binary | std::ios::trunc);  // the same inode
    to << kept;
  }
}

void HubUnderTest::wait_until_drained() const {
  const bool drained = eventually([this] {
    const Outcome metrics =
        run_program({built_program("iothub"), "metrics", "--data-dir", process_.data_directory()});
    return metrics.out.find("\niothub_spool_batches 0\n") != std::string::npos;
  });
  if (!drained) throw std::runtime_error("the spool was not drained:\n" + log());
}

std::string HubUnderTest::ledger_complaint(const std::string& database_url) const {
  const Outcome ledger = run_program({built_program("iothub"), "ledger", "--database", database_url,
                                      "--data-dir", process_.data_directory()});
  return ledger.exit_code == 0 ? "" : "the ledger: " + ledger.out + ledger.err;
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
