#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

#include "pipeline/message_accounts.h"
#include "pipeline/shard_usage.h"
#include "storage/batch_writer.h"

namespace hub {

// When what a shard counts in memory goes into the database. Each batch takes what belongs to it;
// what would wait for a message that may never come gets a batch of its own: five seconds after it
// was counted, or at once when many devices wait or the hub stops.
//
// A shard's; every call on its thread, and `io` runs on it. All that it is given outlives it, and
// `io` runs no handler any more once it is destroyed.
class BookingSchedule {
 public:
  static constexpr std::chrono::seconds kInterval{5};

  // usage: null when nobody is billed.
  BookingSchedule(boost::asio::io_context& io, storage::BatchWriter& writer,
                  MessageAccounts& accounts, ShardUsage* usage);

  // REQUIRES: the writer's end_of_turn() follows, and sends the batch that this may ask for.
  void end_of_turn();
  // No message comes after this for which the timer could be waited: end_of_turn() books at once.
  void prepare_stop() noexcept { stopping_ = true; }
  // From CommitListener::on_batch_closing() only: gives the batch what it is to book, and asks for
  // another one if that is not all.
  void book();

  // False while a stop has to wait for a batch.
  [[nodiscard]] bool idle() const noexcept { return !(stopping_ && dirty()); }

 private:
  // Something waits for a batch of its own.
  [[nodiscard]] bool dirty() const noexcept;
  void begin_booking();

  boost::asio::io_context& io_;
  storage::BatchWriter& writer_;
  MessageAccounts& accounts_;
  ShardUsage* const usage_;
  boost::asio::steady_timer timer_;
  bool timer_runs_ = false;
  bool stopping_ = false;
};

}  // namespace hub
