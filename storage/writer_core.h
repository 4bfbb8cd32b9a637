#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <unordered_map>
#include <vector>

#include "storage/batch.h"
#include "storage/batch_sender.h"
#include "storage/connector.h"
#include "storage/pg_batch_writer.h"
#include "storage/pg_link.h"
#include "storage/spool_lane.h"
#include "storage/spool_record.h"

namespace hub::storage {

// What is behind PgBatchWriter, whose calls these are; and the coroutine that connects and sends.
//
// Batches go round: open_ (takes rows) → queue_ (full, waiting) → sending_ → finished_ (committed,
// the listener not yet told) → delivering_ → spare_ (empty). With a spool: queue_ → appending_ →
// spare_, and later from its record → sending_; and what has been in sending_ for too long is
// appended, too.
class PgBatchWriter::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(boost::asio::io_context& io, Connector& connector, PgWriterOptions options,
       CommitListener& listener);

  void start();
  void stop();  // the listener hears nothing more; the coroutine ends when the loop turns

  std::optional<std::string> append(const RowTargetPtr& target, std::span<const Value> values,
                                    const MessageView& message);
  void append_dead_letter(const DeadLetters::Cause& cause, const MessageView& message);
  void acknowledge_after_commit(AckToken token);
  void make_durable(const DurableChange& change);
  void add_to_ledger(LedgerEntries::Rule entry);
  void add_to_device_ledger(LedgerEntries::Device entry);
  void add_to_sequence(LedgerEntries::Sequence entry);
  void add_to_journal(JournalEntry entry);
  void mark_journal(const JournalMark& mark, const JournalRange& forgotten);
  void add_usage(std::string_view meter, LedgerEntries::Usage entry);
  void add_active_device(std::string_view meter, LedgerEntries::ActiveDevice entry);
  void want_batch() { open_->wanted = true; }
  void end_of_turn();
  [[nodiscard]] bool congested() const noexcept { return congested_; }
  [[nodiscard]] std::size_t held_bytes() const noexcept { return held_bytes_; }
  [[nodiscard]] bool idle() const noexcept { return !waits() && !delivery_scheduled_; }
  [[nodiscard]] Spooled spooled() const noexcept { return lane_ ? lane_->waiting() : Spooled{}; }
  [[nodiscard]] std::uint64_t last_booked() const noexcept { return last_booked_; }
  [[nodiscard]] const WriterCounters& counters() const noexcept { return counters_; }

 private:
  using Notice = std::function<void(CommitListener&)>;
  using TimePoint = boost::asio::steady_timer::time_point;

  [[nodiscard]] bool stopped() const noexcept { return listener_ == nullptr; }

  // The life of the writer's connection (writer_link.cpp). Keeps `self` alive; ends after stop().
  static boost::asio::awaitable<void> run(std::shared_ptr<Impl> self);
  // Returns with a link that has claimed the writer, or without one to be called again.
  boost::asio::awaitable<void> connect();
  // Waits for a batch and makes one attempt to send it.
  boost::asio::awaitable<void> send_next();
  void on_link_lost(DatabaseFault fault);
  void on_trouble(DatabaseFault fault);
  void on_success();
  // Waits until wake_ is cancelled, or for as long as given.
  boost::asio::awaitable<void> woken(TimePoint until);
  // Between two attempts; longer with each failure in a row.
  boost::asio::awaitable<void> pause();

  // The spool (writer_spool.cpp), of a writer that has one.
  void open_lane();
  // There is something that is neither committed nor in the spool.
  [[nodiscard]] bool waits() const noexcept {
    return !open_->empty() || !queue_.empty() || appending_ ||
           (sending_ != nullptr && !sending_->spooled);
  }
  void watch();  // end_of_turn() has left something that waits
  void on_watch();
  void turn_to_spool();
  void append_to_spool();
  void append_to_spool(Batch& batch);
  void on_appended(const Spooled& place, const std::optional<SpoolFault>& fault);
  void acknowledge(Batch& batch);
  // The next records as one batch; null while they are being read.
  std::unique_ptr<Batch> take_spooled();
  void on_spooled_commit(const Batch& batch);
  void note_drained();

  // Batches (writer_core.cpp).
  std::unique_ptr<Batch> new_batch();
  std::unique_ptr<Batch> close_open();
  void finish_sending();  // the batch under way has committed
  void note_usability(const TargetRows& rows);
  [[nodiscard]] Batch& last_uncommitted();
  void release(Batch& batch);  // it holds nothing any more
  void recycle(std::unique_ptr<Batch> batch);
  void hold(Batch& batch, std::size_t bytes);
  void update_congestion() noexcept;

  TargetPlan& plan_of(const RowTargetPtr& target);
  TargetPlan& drain_plan_of(const RowTargetPtr& target);
  void forget_unused_plans();

  // Tells the listener what has happened, in a handler of its own. It may call the writer, which
  // may add to both queues.
  void schedule_delivery();
  void deliver();
  void tell_ledger(const Batch& batch);

  boost::asio::io_context& io_;
  Connector& connector_;
  const PgWriterOptions options_;
  CommitListener* listener_;  // null after stop()
  WriterCounters counters_;
  BatchSender sender_;

  boost::asio::steady_timer wake_;  // cancelled when the coroutine has something to look at
  std::unique_ptr<Connector::Attempt> attempt_;
  std::unique_ptr<PgLink> link_;
  std::minstd_rand random_{std::random_device{}()};
  unsigned failures_ = 0;  // since the last success
  unsigned timeout_factor_ = 1;
  std::uint64_t timeouts_seen_ = 0;
  std::optional<DatabaseFault> trouble_;  // that the listener was told of last
  TimePoint trouble_since_;

  std::uint64_t last_serial_ = 0;
  std::uint64_t last_booked_ = 0;
  std::vector<std::unique_ptr<Batch>> spare_;
  std::unique_ptr<Batch> open_;
  std::deque<std::unique_ptr<Batch>> queue_;
  std::unique_ptr<Batch> sending_;
  std::deque<std::unique_ptr<Batch>> finished_;
  std::unique_ptr<Batch> delivering_;  // of which the listener is being told
  bool closing_ = false;               // make_durable() and add_to_…() may be called

  std::unique_ptr<SpoolLane> lane_;
  SpoolTargets spool_targets_;
  bool spooling_ = false;             // what is closed goes to the spool
  bool told_spooling_ = false;        // the listener knows that the spool is in use
  std::unique_ptr<Batch> appending_;  // on its way there, unless that is sending_
  std::uint64_t appending_serial_ = 0;
  std::uint64_t in_database_ = 0;          // the last batch that is, as of the last claim
  std::optional<SpoolFault> spool_fault_;  // that the listener was told of last
  boost::asio::steady_timer watch_;        // runs while something waits
  bool watching_ = false;
  std::uint64_t commits_ = 0;
  std::uint64_t commits_seen_ = 0;  // by watch_
  TimePoint commits_seen_at_;
  // Apart from plans_: their batches are filled at the same time.
  std::unordered_map<const RowTarget*, std::unique_ptr<TargetPlan>> drain_plans_;

  std::deque<Notice> notices_;
  bool delivery_scheduled_ = false;

  std::unordered_map<const RowTarget*, std::unique_ptr<TargetPlan>> plans_;
  TargetPlan* last_plan_ = nullptr;
  std::size_t held_bytes_ = 0;
  bool congested_ = false;
};

}  // namespace hub::storage
