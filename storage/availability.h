#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>

#include "storage/batch_writer.h"
#include "storage/delivery.h"
#include "storage/pg_batch_writer.h"

namespace hub::storage {

// Whether the database takes what a writer has for it. Tells the listener when that changes, and
// knows how long to wait before the next attempt, and for the next answer. On the writer's thread.
class Availability {
 public:
  using Clock = std::chrono::steady_clock;

  // options: answer_timeout, first_pause and last_pause. All that is given outlives it.
  Availability(const PgWriterOptions& options, Delivery& delivery) noexcept
      : options_(options), delivery_(delivery) {}

  // A connection, or a whole batch, has failed for a passing reason.
  void on_trouble(DatabaseFault fault);
  // And that because no answer came in time: the next one may take twice as long, up to ten times,
  // as a batch that needs longer than the timeout would never commit.
  void on_answer_timeout() noexcept;
  // A batch has committed, or a connection been made while no batch is closed or under way.
  void on_success();

  // Since when nothing succeeds; empty when that is well.
  [[nodiscard]] std::optional<Clock::time_point> trouble_since() const noexcept {
    return trouble_ ? std::optional(since_) : std::nullopt;
  }
  // In a row.
  [[nodiscard]] unsigned failures() const noexcept { return failures_; }
  // Before the next attempt; longer with each failure in a row.
  [[nodiscard]] std::chrono::microseconds next_pause();
  // Of the next link.
  [[nodiscard]] std::chrono::milliseconds answer_timeout() const noexcept {
    return options_.answer_timeout * timeout_factor_;
  }

 private:
  const PgWriterOptions& options_;
  Delivery& delivery_;
  std::minstd_rand random_{std::random_device{}()};
  unsigned failures_ = 0;
  unsigned timeout_factor_ = 1;
  std::optional<DatabaseFault> trouble_;  // that the listener was told of last
  Clock::time_point since_;
};

}  // namespace hub::storage
