#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "storage/availability.h"
#include "storage/batch.h"
#include "storage/batch_sender.h"
#include "storage/commit_watch.h"
#include "storage/delivery.h"
#include "storage/pending_batches.h"
#include "storage/pg_batch_writer.h"
#include "storage/spool_lane.h"
#include "storage/spool_record.h"
#include "storage/spooled_batches.h"
#include "storage/wake_up.h"

namespace hub::storage {

// The way of a writer that does not wait for a database which is away: its batches go to the spool
// and are acknowledged from there; those that come behind them go there, too, until little is left.
// On the writer's thread. docs/spool.md.
class Spooling {
 public:
  // What of the writer it works on; all of it outlives it.
  struct Parts {
    boost::asio::io_context& io;
    const PgWriterOptions& options;  // spool is not null
    WriterCounters& counters;
    BatchPool& pool;
    TargetPlans& plans;
    PendingBatches& pending;
    Delivery& delivery;
    BatchSender& sender;  // which numbers batches
    WakeUp& wake;         // woken when what is to be sent next has changed
  };
  Spooling(const Parts& parts, std::function<std::shared_ptr<void>()> hold_writer);

  // No callback comes any more.
  void stop();

  // At the end of a turn that has left something pending. trouble_since: of Availability.
  void on_pending(std::optional<Availability::Clock::time_point> trouble_since);
  // A batch has committed, and is not `pending.sending` any more.
  void on_commit(const Batch& batch, std::optional<Availability::Clock::time_point> trouble_since);
  // The database has every batch up to that number.
  void in_database(std::uint64_t number) noexcept { spooled_.in_database(number); }

  // No record waits in the spool. While there are some, they go before all that is pending.
  [[nodiscard]] bool empty() const noexcept { return lane_.empty(); }
  [[nodiscard]] const Spooled& waiting() const noexcept { return lane_.waiting(); }
  // As SpooledBatches::take().
  [[nodiscard]] std::unique_ptr<Batch> take();

 private:
  void on_look(bool stalled);
  void turn_to_spool();

  // Appends what has waited longest, and so on after each record until nothing waits.
  void append_waiting();
  void append(Batch& batch);
  void on_appended(const Spooled& place, const std::optional<SpoolFault>& fault);
  void on_refused(const SpoolFault& fault);
  void on_taken(const Spooled& place);

  void on_lost(std::uint64_t records, std::string why);
  void note_drained();

  const Parts parts_;
  SpoolLane lane_;
  SpoolTargets targets_;
  SpooledBatches spooled_;
  CommitWatch watch_;
  bool spooling_ = false;       // what is closed goes to the spool
  bool told_spooling_ = false;  // the listener knows that the spool is in use
  std::uint64_t appending_serial_ = 0;
  std::optional<SpoolFault> fault_;  // that the listener was told of last
};

}  // namespace hub::storage
