#include "storage/writer_core.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <cassert>
#include <utility>

namespace hub::storage {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kSpareBatches = 3;

}  // namespace

PgBatchWriter::Impl::Impl(asio::io_context& io, Connector& connector, PgWriterOptions options,
                          CommitListener& listener)
    : io_(io),
      connector_(connector),
      options_(std::move(options)),
      listener_(&listener),
      sender_(options_, counters_),
      wake_(io),
      open_(new_batch()),
      watch_(io) {
  if (options_.spool != nullptr) open_lane();
}

void PgBatchWriter::Impl::start() {
  asio::co_spawn(
      io_, [self = shared_from_this()] { return run(self); },
      [](const std::exception_ptr& error) {
        if (error) std::rethrow_exception(error);
      });
}

void PgBatchWriter::Impl::stop() {
  listener_ = nullptr;
  attempt_.reset();
  if (link_) link_->close();
  if (lane_) lane_->close();
  watch_.cancel();
  wake_.cancel();
}

std::optional<std::string> PgBatchWriter::Impl::append(const RowTargetPtr& target,
                                                       std::span<const Value> values,
                                                       const MessageView& message) {
  TargetPlan& plan = plan_of(target);
  TargetRows& rows = open_->rows_of(plan);
  const std::size_t row_start = rows.rows.size();
  auto problem = plan.encoder().append(values, rows.rows);
  if (problem) return problem;
  const std::size_t row_bytes = rows.rows.size() - row_start;
  const std::size_t kept_before = open_->messages.bytes();
  rows.messages.push_back(open_->messages.keep(message));
  open_->rows_added(1, row_bytes);
  hold(*open_, row_bytes + open_->messages.bytes() - kept_before + sizeof(std::uint32_t));
  return std::nullopt;
}

void PgBatchWriter::Impl::append_dead_letter(const DeadLetters::Cause& cause,
                                             const MessageView& message) {
  const std::size_t before = open_->dead_letters.rows().size();
  open_->dead_letters.add(cause, message, 0);
  open_->failed_by_rule.emplace_back(cause.rule, message.id);
  hold(*open_, open_->dead_letters.rows().size() - before + sizeof(Receipt));
}

void PgBatchWriter::Impl::acknowledge_after_commit(AckToken token) {
  Batch& batch = last_uncommitted();
  batch.tokens.push_back(token);
  hold(batch, sizeof token);
}

void PgBatchWriter::Impl::make_durable(const DurableChange& change) {
  assert(closing_);
  hold(*open_, open_->session_changes.add(change));
}

void PgBatchWriter::Impl::add_to_ledger(LedgerEntries::Rule entry) {
  assert(closing_);
  hold(*open_, sizeof entry + entry.rule.size());
  open_->ledger.rules.push_back(std::move(entry));
}

void PgBatchWriter::Impl::add_to_device_ledger(LedgerEntries::Device entry) {
  assert(closing_);
  hold(*open_, sizeof entry + entry.rule.size() + entry.device.size());
  open_->ledger.devices.push_back(std::move(entry));
}

void PgBatchWriter::Impl::add_to_sequence(LedgerEntries::Sequence entry) {
  assert(closing_);
  hold(*open_, sizeof entry + entry.rule.size() + entry.device.size() + entry.seen.size());
  open_->ledger.sequences.push_back(std::move(entry));
}

void PgBatchWriter::Impl::add_to_journal(JournalEntry entry) {
  assert(closing_);
  hold(*open_, sizeof entry + entry.lines.size());
  open_->ledger.journal.push_back(std::move(entry));
}

void PgBatchWriter::Impl::mark_journal(const JournalMark& mark, const JournalRange& forgotten) {
  assert(closing_);
  open_->ledger.journal_mark = mark;
  open_->ledger.journal_forgotten = forgotten;
}

void PgBatchWriter::Impl::add_usage(std::string_view meter, LedgerEntries::Usage entry) {
  assert(closing_);
  hold(*open_, sizeof entry);
  open_->ledger.meter = meter;
  open_->ledger.shard = options_.shard;
  open_->ledger.usage.push_back(entry);
}

void PgBatchWriter::Impl::add_active_device(std::string_view meter,
                                            LedgerEntries::ActiveDevice entry) {
  assert(closing_);
  hold(*open_, sizeof entry + entry.device.size());
  open_->ledger.meter = meter;
  open_->ledger.active_devices.push_back(std::move(entry));
}

void PgBatchWriter::Impl::end_of_turn() {
  if (open_->empty()) return;
  if (sending_ == nullptr && queue_.empty()) {
    wake_.cancel();  // the open batch goes at once, if there is a link
  }
  if (open_->rows() >= options_.limits.rows || open_->row_bytes() >= options_.limits.bytes) {
    queue_.push_back(close_open());
  }
  if (lane_) watch();
}

std::unique_ptr<Batch> PgBatchWriter::Impl::new_batch() {
  std::unique_ptr<Batch> batch;
  if (spare_.empty()) {
    batch = std::make_unique<Batch>();
  } else {
    batch = std::move(spare_.back());
    spare_.pop_back();
  }
  batch->clear(++last_serial_);
  return batch;
}

std::unique_ptr<Batch> PgBatchWriter::Impl::close_open() {
  closing_ = true;
  listener_->on_batch_closing();
  closing_ = false;
  std::unique_ptr<Batch> closed = new_batch();
  std::swap(closed, open_);
  return closed;
}

void PgBatchWriter::Impl::finish_sending() {
  Batch& batch = *sending_;
  if (!batch.nothing_to_write()) {
    counters_.batches.add();
    on_success();
  }
  counters_.row_bytes.add(batch.row_bytes());
  counters_.session_states.add(batch.session_changes.count());
  counters_.dead_letters_by_rule.add(batch.dead_letters.count());
  counters_.dead_letters_row_refused.add(batch.refused_rows);
  counters_.dead_letters_table_unusable.add(batch.unusable_rows);
  for (TargetRows& target : batch.targets()) {
    counters_.rows.add(target.outcome.committed);
    counters_.duplicates.add(target.outcome.duplicates);
    note_usability(target);
  }
  ++commits_;
  finished_.push_back(std::move(sending_));
  if (lane_) on_spooled_commit(batch);
  schedule_delivery();
}

void PgBatchWriter::Impl::note_usability(const TargetRows& rows) {
  TargetPlan& plan = *rows.plan;
  const bool accepted = rows.outcome.dead_letters < rows.count();
  if (!rows.fault.sqlstate.empty() && !plan.faulted) {
    plan.faulted = true;
    notices_.push_back([target = plan.target_ptr(), fault = rows.fault](CommitListener& l) {
      l.on_target_fault(*target, fault);
    });
  } else if (plan.faulted && accepted) {
    plan.faulted = false;
    notices_.push_back(
        [target = plan.target_ptr()](CommitListener& l) { l.on_target_usable(*target); });
  }
}

// Where a token that waits for all that was appended so far belongs.
Batch& PgBatchWriter::Impl::last_uncommitted() {
  if (!open_->empty()) return *open_;
  if (!queue_.empty()) return *queue_.back();
  if (appending_) return *appending_;
  if (sending_ && !sending_->spooled) return *sending_;
  // Everything has committed: the token follows what the listener has yet to be told.
  if (finished_.empty()) finished_.push_back(new_batch());
  schedule_delivery();
  return *finished_.back();
}

void PgBatchWriter::Impl::release(Batch& batch) {
  held_bytes_ -= std::exchange(batch.held_bytes, 0);
  update_congestion();
}

void PgBatchWriter::Impl::recycle(std::unique_ptr<Batch> batch) {
  if (spare_.size() < kSpareBatches) spare_.push_back(std::move(batch));
}

void PgBatchWriter::Impl::hold(Batch& batch, std::size_t bytes) {
  batch.held_bytes += bytes;
  held_bytes_ += bytes;
  update_congestion();
}

void PgBatchWriter::Impl::update_congestion() noexcept {
  const std::size_t limit = options_.limits.held_bytes;
  if (!congested_ && held_bytes_ > limit / 10 * 9) congested_ = true;
  if (congested_ && held_bytes_ < limit / 10 * 7) congested_ = false;
}

TargetPlan& PgBatchWriter::Impl::plan_of(const RowTargetPtr& target) {
  if (last_plan_ != nullptr && &last_plan_->target() == target.get()) return *last_plan_;
  auto found = plans_.find(target.get());
  if (found == plans_.end()) {
    forget_unused_plans();
    found = plans_.emplace(target.get(), std::make_unique<TargetPlan>(target)).first;
  }
  last_plan_ = found->second.get();
  return *last_plan_;
}

// Targets that nobody else knows any more, as the rules were loaded anew, and that no batch uses.
void PgBatchWriter::Impl::forget_unused_plans() {
  std::uint64_t oldest = open_->serial;
  if (sending_) oldest = std::min(oldest, sending_->serial);
  if (!queue_.empty()) oldest = std::min(oldest, queue_.front()->serial);
  if (appending_) oldest = std::min(oldest, appending_->serial);
  if (delivering_) oldest = std::min(oldest, delivering_->serial);
  for (const auto& batch : finished_) oldest = std::min(oldest, batch->serial);
  const auto unused = [oldest](const auto& entry) {
    const TargetPlan& plan = *entry.second;
    return plan.target_ptr().use_count() == 1 && plan.batch_serial < oldest;
  };
  std::erase_if(plans_, unused);
  std::erase_if(drain_plans_, unused);
  last_plan_ = nullptr;
}

void PgBatchWriter::Impl::schedule_delivery() {
  if (delivery_scheduled_) return;
  delivery_scheduled_ = true;
  asio::post(io_, [self = shared_from_this()] { self->deliver(); });
}

void PgBatchWriter::Impl::deliver() {
  while (!stopped() && !(notices_.empty() && finished_.empty())) {
    if (!notices_.empty()) {
      const Notice notice = std::move(notices_.front());
      notices_.pop_front();
      notice(*listener_);
    } else {
      delivering_ = std::move(finished_.front());
      finished_.pop_front();
      for (const TargetRows& target : delivering_->targets()) {
        if (!stopped()) listener_->on_rows(target.plan->target(), target.outcome);
      }
      tell_ledger(*delivering_);
      release(*delivering_);
      if (!stopped()) {
        counters_.acknowledgements.add(delivering_->tokens.size());
        listener_->on_committed(delivering_->tokens);
      }
      recycle(std::move(delivering_));
    }
  }
  delivery_scheduled_ = false;
}

void PgBatchWriter::Impl::tell_ledger(const Batch& batch) {
  if (batch.number != 0) last_booked_ = batch.number;
  for (const LedgerEntries::Rule& entry : batch.ledger.rules) {
    if (!stopped()) listener_->on_booked(entry.rule, entry.booked);
  }
  for (const RefusedMessage& refused : batch.refused_messages) {
    if (stopped()) return;
    if (refused.device_settled) continue;
    listener_->on_refused(*refused.target, batch.messages.view(refused.message));
  }
}

}  // namespace hub::storage
