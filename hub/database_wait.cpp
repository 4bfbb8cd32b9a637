#include "hub/database_wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <stdexcept>
#include <thread>

#include "base/service_manager.h"
#include "storage/backoff.h"

namespace hub {
namespace {

// As of a writer that has lost its database.
constexpr std::chrono::milliseconds kFirstPause{50};
constexpr std::chrono::milliseconds kLastPause{10'000};
constexpr int kMaxPatienceFactor = 10;

// Each attempt has as long as the unit file gives the start.
constexpr const char* kMoreTime = "EXTEND_TIMEOUT_USEC=1800000000";

}  // namespace

DatabaseWait::DatabaseWait(std::string database, storage::Patience patience, Write write,
                           Pause pause)
    : database_(std::move(database)),
      patience_(std::move(patience)),
      longest_answer_(patience_.answer * kMaxPatienceFactor),
      write_(std::move(write)),
      pause_(std::move(pause)) {
  if (!write_) write_ = [](log::Level level, const std::string& line) { log::write(level, line); };
  if (!pause_) pause_ = [](std::chrono::microseconds time) { std::this_thread::sleep_for(time); };
}

void DatabaseWait::until_done(const std::function<void(const storage::Patience& patience)>& step) {
  std::minstd_rand random{std::random_device{}()};
  std::optional<storage::Trouble> told;
  const auto began = Clock::now();
  for (unsigned failures = 1;; ++failures) {
    try {
      step(patience_);
      break;
    } catch (const storage::DatabaseError& error) {
      const storage::Trouble trouble = storage::trouble_of(error.fault());
      if (!storage::may_pass(trouble)) {
        const storage::TroubleText text = storage::text_of(trouble);
        throw std::runtime_error(fmt::format("the database {}: {}; {}: {}", database_, text.what,
                                             text.remedy, error.what()));
      }
      if (told != trouble) tell(trouble, error.fault());
      told = trouble;
      if (trouble == storage::Trouble::silent) {
        patience_.answer = std::min(patience_.answer * 2, longest_answer_);
      }
    }
    notify_service_manager(kMoreTime);
    pause_(storage::pause_after(failures, kFirstPause, kLastPause, random));
  }
  if (!told) return;
  const std::chrono::duration<double> waited = Clock::now() - began;
  write_(log::Level::info, fmt::format("the database is there after {:.1f} s", waited.count()));
  notify_service_manager("STATUS=the database is there");
}

void DatabaseWait::tell(storage::Trouble trouble, const storage::DatabaseFault& fault) {
  const storage::TroubleText text = storage::text_of(trouble);
  const std::string state =
      fault.sqlstate.empty() ? std::string{} : fmt::format(" (SQLSTATE {})", fault.sqlstate);
  write_(log::Level::warning, fmt::format("waiting for the database {}: {}; {}: {}{}", database_,
                                          text.what, text.remedy, fault.message, state));
  notify_service_manager(fmt::format("STATUS=waiting for the database: {}", text.what));
}

}  // namespace hub
