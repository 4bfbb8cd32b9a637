#include "storage/availability.h"

#include <algorithm>
#include <utility>

#include "storage/backoff.h"

namespace hub::storage {
namespace {

constexpr unsigned kMaxTimeoutFactor = 10;

}  // namespace

void Availability::on_trouble(DatabaseFault fault) {
  ++failures_;
  if (!trouble_) since_ = Clock::now();
  const bool known =
      trouble_ && trouble_->sqlstate == fault.sqlstate && trouble_->message == fault.message;
  if (known) return;
  trouble_ = fault;
  delivery_.tell([fault = std::move(fault)](CommitListener& listener) {
    listener.on_database_unavailable(fault);
  });
}

void Availability::on_answer_timeout() noexcept {
  timeout_factor_ = std::min(timeout_factor_ * 2, kMaxTimeoutFactor);
}

void Availability::on_success() {
  failures_ = 0;
  timeout_factor_ = 1;
  if (!trouble_) return;
  trouble_.reset();
  delivery_.tell([](CommitListener& listener) { listener.on_database_available(); });
}

std::chrono::microseconds Availability::next_pause() {
  return pause_after(failures_, options_.first_pause, options_.last_pause, random_);
}

}  // namespace hub::storage
