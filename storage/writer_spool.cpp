// A writer that does not wait for a database that is away: its batches go to the spool.
#include <algorithm>

#include "storage/writer_core.h"

namespace hub::storage {

namespace asio = boost::asio;

using Clock = asio::steady_timer::clock_type;

void PgBatchWriter::Impl::open_lane() {
  lane_ = std::make_unique<SpoolLane>(io_, *options_.spool,
                                      SpoolOwner{options_.hub_id, options_.shard});
  sender_.number_from(lane_->last_number() + 1);
  lane_->changed = [this] { wake_.cancel(); };
  lane_->lost = [this](std::uint64_t records, std::string why) {
    counters_.spool_records_lost.add(records);
    notices_.push_back([records, why = std::move(why)](CommitListener& listener) {
      listener.on_spool_lost(records, why);
    });
    schedule_delivery();
    note_drained();
  };
  told_spooling_ = !lane_->empty();
}

void PgBatchWriter::Impl::watch() {
  if (spooling_) {
    append_to_spool();
    return;
  }
  if (trouble_ && Clock::now() - trouble_since_ >= options_.spool_after) {
    turn_to_spool();
    return;
  }
  if (watching_) return;
  watching_ = true;
  commits_seen_ = commits_;
  commits_seen_at_ = Clock::now();
  on_watch();
}

// A look now and then costs less than a timer for each batch.
void PgBatchWriter::Impl::on_watch() {
  constexpr int kLooks = 4;
  if (!waits()) {
    watching_ = false;
    return;
  }
  const TimePoint now = Clock::now();
  if (commits_ != commits_seen_) {
    commits_seen_ = commits_;
    commits_seen_at_ = now;
  }
  if (spooling_) {
    append_to_spool();  // that failed before
  } else if (now - commits_seen_at_ >= options_.spool_after) {
    turn_to_spool();
  }
  watch_.expires_after(options_.spool_after / kLooks);
  watch_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error && !self->stopped()) self->on_watch();
  });
}

void PgBatchWriter::Impl::turn_to_spool() {
  spooling_ = true;
  append_to_spool();
}

// Appends what has waited longest, and so on after each record until nothing waits.
void PgBatchWriter::Impl::append_to_spool() {
  while (spooling_ && !lane_->appending() && !stopped()) {
    if (sending_ && !sending_->spooled) return append_to_spool(*sending_);
    if (!queue_.empty()) {
      appending_ = std::move(queue_.front());
      queue_.pop_front();
    } else if (!open_->empty()) {
      appending_ = close_open();
    } else {
      return;
    }
    if (!appending_->nothing_to_write()) return append_to_spool(*appending_);
    acknowledge(*appending_);
    recycle(std::move(appending_));
  }
}

void PgBatchWriter::Impl::append_to_spool(Batch& batch) {
  if (batch.number == 0) batch.number = sender_.take_number();
  batch.number_is_final = true;
  appending_serial_ = batch.serial;
  const auto place = std::make_shared<Spooled>();
  *place = lane_->append(
      batch.number, write_spool_record(batch, spool_targets_), spooled_messages(batch),
      [this, place](const std::optional<SpoolFault>& fault) { on_appended(*place, fault); });
}

void PgBatchWriter::Impl::on_appended(const Spooled& place,
                                      const std::optional<SpoolFault>& fault) {
  wake_.cancel();
  if (fault) {
    const bool known = spool_fault_ && spool_fault_->full == fault->full;
    if (appending_) queue_.push_front(std::move(appending_));
    if (!watching_) {
      watching_ = true;
      on_watch();
    }
    if (known) return;
    spool_fault_ = fault;
    notices_.push_back(
        [fault = *fault](CommitListener& listener) { listener.on_spool_unavailable(fault); });
    schedule_delivery();
    return;
  }
  counters_.spooled_batches.add();
  counters_.spooled_bytes.add(place.bytes);
  if (spool_fault_) {
    spool_fault_.reset();
    notices_.push_back([](CommitListener& listener) { listener.on_spool_available(); });
  }
  if (!told_spooling_) {
    told_spooling_ = true;
    notices_.push_back([](CommitListener& listener) { listener.on_spooling(); });
  }
  if (appending_) {
    acknowledge(*appending_);
    recycle(std::move(appending_));
  } else {
    lane_->skip(place.last);
    if (sending_ && sending_->serial == appending_serial_) {
      sending_->spooled = place;
      acknowledge(*sending_);
    } else {  // it has committed meanwhile
      lane_->remove(place);
      note_drained();
    }
  }
  append_to_spool();
}

// The batch is durable, though not in the database.
void PgBatchWriter::Impl::acknowledge(Batch& batch) {
  std::unique_ptr<Batch> told = new_batch();
  std::swap(told->tokens, batch.tokens);
  std::swap(told->held_bytes, batch.held_bytes);
  finished_.push_back(std::move(told));
  schedule_delivery();
}

// Several records as one batch, which commits them all or none: its number is the last one's.
std::unique_ptr<Batch> PgBatchWriter::Impl::take_spooled() {
  std::unique_ptr<Batch> batch;
  Spooled taken;
  while (const SpoolRecord* const record = lane_->front()) {
    const Spooled place{record->position, 1, 0, record->body.size()};
    if (place.last.number <= in_database_) {  // by a hub that was killed before it was removed
      lane_->take_front();
      lane_->remove(place);
      continue;
    }
    if (!batch) batch = new_batch();
    const bool full =
        batch->rows() >= options_.limits.rows || taken.bytes + place.bytes > options_.limits.bytes;
    if (taken.records > 0 && full) break;
    const auto problem = add_spool_record(
        record->body, spool_targets_,
        [this](const RowTargetPtr& target) -> TargetPlan& { return drain_plan_of(target); },
        *batch);
    if (problem != SpoolRecordProblem::none) {
      if (taken.records > 0) break;  // they would be removed along with it, before they commit
      lane_->take_front();
      lane_->lost(1, "a record is not understood");
      lane_->remove(place);
      continue;
    }
    lane_->take_front();
    taken.last = place.last;
    ++taken.records;
    taken.bytes += place.bytes;
  }
  if (taken.records == 0) {
    if (batch) recycle(std::move(batch));
    note_drained();
    return nullptr;
  }
  taken.messages = spooled_messages(*batch);
  batch->number = taken.last.number;
  batch->number_is_final = true;
  batch->spooled = taken;
  return batch;
}

// Once little is left, what comes waits for it, so that the writer gets back to the direct way.
void PgBatchWriter::Impl::on_spooled_commit(const Batch& batch) {
  if (batch.spooled) {
    counters_.spool_records_drained.add(batch.spooled->records);
    lane_->remove(*batch.spooled);
    note_drained();
  }
  if (lane_->waiting().bytes <= options_.limits.bytes) spooling_ = false;
  if (!spooling_ && waits()) watch();
}

void PgBatchWriter::Impl::note_drained() {
  if (!told_spooling_ || !lane_->empty()) return;
  told_spooling_ = false;
  notices_.push_back([](CommitListener& listener) { listener.on_spool_drained(); });
  schedule_delivery();
}

TargetPlan& PgBatchWriter::Impl::drain_plan_of(const RowTargetPtr& target) {
  auto found = drain_plans_.find(target.get());
  if (found == drain_plans_.end()) {
    forget_unused_plans();
    found = drain_plans_.emplace(target.get(), std::make_unique<TargetPlan>(target)).first;
  }
  return *found->second;
}

}  // namespace hub::storage
