#include "storage/commit_watch.h"

#include <utility>

namespace hub::storage {

namespace asio = boost::asio;

CommitWatch::CommitWatch(asio::io_context& io, std::chrono::milliseconds stall_after, Hooks hooks)
    : stall_after_(stall_after), hooks_(std::move(hooks)), timer_(io) {}

void CommitWatch::start() {
  if (stopped_ || std::exchange(running_, true)) return;
  commits_seen_ = commits_;
  seen_at_ = Clock::now();
  look();
}

void CommitWatch::stop() {
  stopped_ = true;
  timer_.cancel();
}

void CommitWatch::look() {
  constexpr int kLooks = 4;  // while nothing commits, until it counts as stalled
  if (!hooks_.anything_waits()) {
    running_ = false;
    return;
  }
  const Clock::time_point now = Clock::now();
  if (commits_ != commits_seen_) {
    commits_seen_ = commits_;
    seen_at_ = now;
  }
  hooks_.look(now - seen_at_ >= stall_after_);
  timer_.expires_after(stall_after_ / kLooks);
  timer_.async_wait([this, writer = hooks_.hold_writer()](const boost::system::error_code& error) {
    if (!error && !stopped_) look();
  });
}

}  // namespace hub::storage
