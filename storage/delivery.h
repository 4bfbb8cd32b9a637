#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "storage/batch.h"
#include "storage/batch_pool.h"
#include "storage/batch_writer.h"
#include "storage/held_bytes.h"
#include "storage/writer_counters.h"

namespace hub::storage {

// Tells a writer's listener what has happened: notices in their order, and before the batches,
// which are in theirs. By handlers of their own, never from inside a call on the writer; what is
// told may call the writer, and may destroy it. On the writer's thread.
class Delivery {
 public:
  using Notice = std::function<void(CommitListener&)>;

  // All that is given by reference outlives it. hold_writer: what keeps the writer, whose part this
  // is, alive as long as a handler is under way.
  Delivery(boost::asio::io_context& io, CommitListener& listener, BatchPool& pool, HeldBytes& held,
           WriterCounters& counters, std::function<std::shared_ptr<void>()> hold_writer);

  // The listener hears nothing more: it may be gone.
  void stop() noexcept { listener_ = nullptr; }
  [[nodiscard]] bool stopped() const noexcept { return listener_ == nullptr; }

  // Something that is no batch: it is told before the batches that were not told of yet.
  void tell(Notice notice);
  // The batch has committed: its account and its tokens are told, then it goes back to the pool.
  void tell_committed(std::unique_ptr<Batch> batch);
  // The batch is durable, though not in the database: its tokens are told, and it holds nothing any
  // more. Its account is still to come, by tell_committed().
  void tell_durable(Batch& batch);
  // Everything that was appended has committed: the token is told behind what is yet to be told.
  void tell_token(AckToken token);

  // Nothing is to be told.
  [[nodiscard]] bool idle() const noexcept { return !scheduled_; }
  // The number of the last batch of which the account was told.
  [[nodiscard]] std::uint64_t last_booked() const noexcept { return last_booked_; }

 private:
  void schedule();
  void run();
  void deliver(std::unique_ptr<Batch> batch);
  void deliver_account(Batch& batch);

  boost::asio::io_context& io_;
  CommitListener* listener_;  // null after stop()
  BatchPool& pool_;
  HeldBytes& held_;
  WriterCounters& counters_;
  const std::function<std::shared_ptr<void>()> hold_writer_;

  std::deque<Notice> notices_;
  std::deque<std::unique_ptr<Batch>> batches_;
  bool scheduled_ = false;
  std::uint64_t last_booked_ = 0;
};

}  // namespace hub::storage
