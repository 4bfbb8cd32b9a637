#include "storage/embedded_database.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "base/log.h"

namespace hub::storage {
namespace {

using namespace std::chrono_literals;
using Clock = ChildProcess::Clock;

constexpr auto kPreviousLeavesAlone = 5s;  // it was told to stop when its hub died
constexpr auto kPreviousLeavesAtAll = 60s;
constexpr auto kReadyPoll = 10ms;
constexpr auto kProgress = 10s;
constexpr auto kLogCheck = 30s;
constexpr auto kFastShutdown = 30s;
constexpr auto kImmediateShutdown = 15s;
constexpr auto kFirstBackoff = 100ms;
constexpr auto kLongestBackoff = 5000ms;
constexpr auto kStable = 60s;
constexpr auto kOrphansLeave = 20s;

struct Stopped {};  // thrown on the supervising thread when stop() is called while it starts

}  // namespace

EmbeddedDatabase::EmbeddedDatabase(const DataDirectory& directory)
    : cluster_(directory), stop_event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!stop_event_) {
    throw std::system_error(errno, std::generic_category(), "make an event");
  }
}

EmbeddedDatabase::~EmbeddedDatabase() { stop(); }

void EmbeddedDatabase::start() {
  std::promise<void> started;
  auto outcome = started.get_future();
  // The server's parent must be a thread that lives as long as the server shall.
  thread_ = std::thread(
      [this, started = std::move(started)]() mutable { supervise(std::move(started)); });
  outcome.get();
}

void EmbeddedDatabase::stop() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(stop_event_.get(), &one, sizeof one);
  std::call_once(joined_, [&] {
    if (thread_.joinable()) thread_.join();
  });
}

void EmbeddedDatabase::supervise(std::promise<void> started) {
  std::optional<ChildProcess> server;
  try {
    cluster_.create_if_missing();
    server = launch();
    started.set_value();
  } catch (const Stopped&) {
    started.set_exception(std::make_exception_ptr(
        EmbeddedDatabaseError("the embedded database was stopped while it started")));
    return;
  } catch (...) {
    started.set_exception(std::current_exception());
    return;
  }

  auto backoff = kFirstBackoff;
  auto started_at = Clock::now();
  for (;;) {
    if (server && !watch(*server)) return shut_down(*server);
    if (server) {
      log::error("the embedded database {}, and is started again; see {}",
                 server->wait_until(Clock::now())->to_string(), cluster_.log_path().string());
      if (Clock::now() - started_at > kStable) backoff = kFirstBackoff;
      server.reset();
    }
    if (stop_requested_within(backoff)) return;
    backoff = std::min(2 * backoff, kLongestBackoff);
    try {
      started_at = Clock::now();
      server = launch();
      log::info("the embedded database is back");
    } catch (const Stopped&) {
      return;
    } catch (const std::exception& error) {
      log::error("{}", error.what());
    }
  }
}

ChildProcess EmbeddedDatabase::launch() {
  const auto give_up = Clock::now() + kOrphansLeave;
  for (;;) {
    wait_for_previous_server();
    cluster_.forget_previous_server();
    cluster_.configure();
    auto server = cluster_.start_server();
    pid_ = server.pid();
    if (await_ready(server)) return server;

    const auto said = cluster_.log_since_start();
    // Processes of a server that was killed are still about to leave its shared memory.
    const bool orphans = said.find("is still in use") != std::string::npos;
    if (!orphans || Clock::now() > give_up) {
      cluster_.tidy_up();
      throw EmbeddedDatabaseError(fmt::format(
          "the embedded database does not start: it {}; its log ({}) says:\n{}",
          server.wait_until(Clock::now())->to_string(), cluster_.log_path().string(), said));
    }
    if (stop_requested_within(kFirstBackoff)) throw Stopped{};
  }
}

void EmbeddedDatabase::wait_for_previous_server() {
  const auto previous = cluster_.previous_server();
  if (!previous) return;
  const auto process = watch_process(*previous);
  if (!process) return;  // gone meanwhile
  log::info("waiting for the embedded database of an earlier hub to stop (process {})", *previous);
  const auto gone_within = [&](std::chrono::milliseconds time) {
    if (stop_requested_within(time, process.get())) throw Stopped{};
    pollfd ended{process.get(), POLLIN, 0};
    return ::poll(&ended, 1, 0) == 1;
  };
  if (gone_within(kPreviousLeavesAlone)) return;
  ::kill(*previous, SIGINT);
  if (gone_within(kPreviousLeavesAtAll)) return;
  throw EmbeddedDatabaseError(fmt::format(
      "an earlier server of the embedded database still runs (process {}) and does not stop; see "
      "{}",
      *previous, cluster_.log_path().string()));
}

bool EmbeddedDatabase::await_ready(ChildProcess& server) {
  auto next_word = Clock::now() + kProgress;
  while (!cluster_.is_ready(server.pid())) {
    if (stop_requested_within(kReadyPoll, server.descriptor())) {
      shut_down(server);
      throw Stopped{};
    }
    if (server.wait_until(Clock::now())) return false;
    if (Clock::now() >= next_word) {
      log::info("the embedded database is recovering; see {}", cluster_.log_path().string());
      next_word += kProgress;
    }
  }
  return true;
}

bool EmbeddedDatabase::watch(ChildProcess& server) {
  for (;;) {
    if (stop_requested_within(kLogCheck, server.descriptor())) return false;
    if (server.wait_until(Clock::now())) return true;
    cluster_.bound_log();
  }
}

void EmbeddedDatabase::shut_down(ChildProcess& server) noexcept {
  try {
    server.signal(SIGINT);
    if (server.wait_until(Clock::now() + kFastShutdown)) return cluster_.tidy_up();
    log::warning("the embedded database takes long to stop: it will recover at its next start");
    server.signal(SIGQUIT);
    if (server.wait_until(Clock::now() + kImmediateShutdown)) return;
    server.signal(SIGKILL);
    server.wait_until(Clock::now() + kImmediateShutdown);
  } catch (const std::exception& error) {
    log::error("stopping the embedded database: {}", error.what());
  }
}

bool EmbeddedDatabase::stop_requested_within(std::chrono::milliseconds time, int descriptor) {
  std::array<pollfd, 2> waits{{{stop_event_.get(), POLLIN, 0}, {descriptor, POLLIN, 0}}};
  ::poll(waits.data(), descriptor >= 0 ? 2 : 1, static_cast<int>(time.count()));
  return (waits[0].revents & POLLIN) != 0;
}

}  // namespace hub::storage
