#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace hub::storage {

// Looks now and then whether commits go on, while something waits for one: a timer that runs beside
// many batches costs less than one for each. On the writer's thread.
class CommitWatch {
 public:
  struct Hooks {
    std::function<bool()> anything_waits;  // the watch ends by itself when nothing does
    // stalled: none has committed for the time that is given.
    std::function<void(bool stalled)> look;
    // What keeps the writer, whose part this is, alive as long as a handler is under way.
    std::function<std::shared_ptr<void>()> hold_writer;
  };

  CommitWatch(boost::asio::io_context& io, std::chrono::milliseconds stall_after, Hooks hooks);

  // Begins, with a look, unless it runs.
  void start();
  // A batch has committed.
  void note_commit() noexcept { ++commits_; }
  // No hook is called any more.
  void stop();

 private:
  using Clock = boost::asio::steady_timer::clock_type;

  void look();

  const std::chrono::milliseconds stall_after_;
  const Hooks hooks_;
  boost::asio::steady_timer timer_;
  bool running_ = false;
  bool stopped_ = false;
  std::uint64_t commits_ = 0;
  std::uint64_t commits_seen_ = 0;
  Clock::time_point seen_at_;
};

}  // namespace hub::storage
