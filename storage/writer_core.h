#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>

#include "storage/availability.h"
#include "storage/batch_pool.h"
#include "storage/batch_sender.h"
#include "storage/delivery.h"
#include "storage/held_bytes.h"
#include "storage/open_batch.h"
#include "storage/pending_batches.h"
#include "storage/pg_batch_writer.h"
#include "storage/spooling.h"
#include "storage/target_plans.h"
#include "storage/wake_up.h"
#include "storage/writer_link.h"

namespace hub::storage {

// What is behind PgBatchWriter: its parts, and the coroutine by which batches go round them.
//
//   OpenBatch takes rows → PendingBatches → WriterLink and BatchSender write → Delivery tells →
//   BatchPool, for the next open batch
//
// With a spool, Spooling takes what waits for too long out of that round, and brings it back.
class PgBatchWriter::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(boost::asio::io_context& io, Connector& connector, PgWriterOptions options,
       CommitListener& listener);

  void start();
  void stop();  // the listener hears nothing more; the coroutine ends when the loop turns

  [[nodiscard]] OpenBatch& open() noexcept { return open_; }
  void acknowledge_after_commit(AckToken token);
  void end_of_turn();

  [[nodiscard]] const HeldBytes& held() const noexcept { return held_; }
  [[nodiscard]] bool idle() const noexcept { return !pending_.any() && delivery_.idle(); }
  [[nodiscard]] std::uint64_t last_booked() const noexcept { return delivery_.last_booked(); }
  [[nodiscard]] Spooled spooled() const noexcept {
    return spooling_ ? spooling_->waiting() : Spooled{};
  }
  [[nodiscard]] const WriterCounters& counters() const noexcept { return counters_; }

 private:
  // Keeps `self` alive; ends after stop().
  static boost::asio::awaitable<void> run(std::shared_ptr<Impl> self);
  // Returns with a link, or without one to be called again. Throws LinkLost.
  boost::asio::awaitable<void> connect();
  // Waits for a batch, makes one attempt to send it, and pauses after one that failed. Throws
  // LinkLost: it may have committed.
  boost::asio::awaitable<void> send_next();
  // Waits until there is a batch under way, or the writer is stopped.
  boost::asio::awaitable<void> begin_sending();
  void on_link_lost(const DatabaseFault& fault);
  void finish_sending();  // the batch under way has committed

  boost::asio::io_context& io_;
  const PgWriterOptions options_;
  WriterCounters counters_;

  BatchPool pool_;
  TargetPlans plans_;
  HeldBytes held_;
  OpenBatch open_;
  PendingBatches pending_;
  Delivery delivery_;

  BatchSender sender_;
  WakeUp wake_;  // the coroutine
  Availability availability_;
  WriterLink link_;
  std::unique_ptr<Spooling> spooling_;  // null without a spool
};

}  // namespace hub::storage
