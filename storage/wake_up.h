#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

namespace hub::storage {

// What a writer's coroutine waits by. One waits at a time; on the thread of its io_context.
class WakeUp {
 public:
  using TimePoint = boost::asio::steady_timer::time_point;

  explicit WakeUp(boost::asio::io_context& io) : timer_(io) {}

  // The wait that is under way ends. One that begins later does not: whoever waits looks first.
  void wake() { timer_.cancel(); }
  // No wait lasts any more.
  void stop() {
    stopped_ = true;
    wake();
  }
  [[nodiscard]] bool stopped() const noexcept { return stopped_; }

  // Until wake(), or so long.
  boost::asio::awaitable<void> wait(TimePoint until = TimePoint::max());
  // For so long, whoever calls wake(); only stop() ends it before.
  boost::asio::awaitable<void> pause(std::chrono::microseconds duration);

 private:
  boost::asio::steady_timer timer_;
  bool stopped_ = false;
};

}  // namespace hub::storage
