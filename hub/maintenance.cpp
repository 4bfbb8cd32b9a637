#include "hub/maintenance.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "base/log.h"
#include "storage/migration.h"

namespace hub {
namespace {

constexpr std::chrono::minutes kLongest{10};  // rows of another day may have to be moved
constexpr std::chrono::hours kAgain{1};

bool maintain(const std::string& url, const std::stop_token& stop) {
  try {
    for (const std::string& line : storage::maintain(url, {.answer = kLongest, .stop = stop})) {
      log::info("{}", line);
    }
    return true;
  } catch (const std::exception& error) {
    if (stop.stop_requested()) return false;
    log::warning("the database could not be maintained, the next attempt is in an hour: {}",
                 error.what());
    return false;
  }
}

}  // namespace

Maintenance::Maintenance(std::string url, std::chrono::milliseconds interval)
    : url_(std::move(url)), interval_(interval) {
  std::promise<void> first;
  first_ = first.get_future();
  thread_ = std::jthread(
      [this](const std::stop_token& stop, std::promise<void> done) { run(stop, std::move(done)); },
      std::move(first));
}

Maintenance::~Maintenance() = default;

void Maintenance::run(const std::stop_token& stop, std::promise<void> first) {
  std::optional<std::promise<void>> untold{std::move(first)};
  std::mutex mutex;
  std::condition_variable_any time;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    const bool done = maintain(url_, stop);
    if (untold) untold->set_value();
    untold.reset();
    const std::chrono::milliseconds pause =
        done ? interval_ : std::min<std::chrono::milliseconds>(interval_, kAgain);
    time.wait_for(lock, stop, pause, [] { return false; });
  }
}

}  // namespace hub
