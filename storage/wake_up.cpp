#include "storage/wake_up.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hub::storage {

namespace asio = boost::asio;

asio::awaitable<void> WakeUp::wait(TimePoint until) {
  timer_.expires_at(until);
  boost::system::error_code ignored;
  co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

asio::awaitable<void> WakeUp::pause(std::chrono::microseconds duration) {
  const TimePoint until = asio::steady_timer::clock_type::now() + duration;
  while (!stopped_ && asio::steady_timer::clock_type::now() < until) co_await wait(until);
}

}  // namespace hub::storage
