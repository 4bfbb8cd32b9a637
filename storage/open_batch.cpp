#include "storage/open_batch.h"

#include <cassert>
#include <utility>

namespace hub::storage {

OpenBatch::OpenBatch(CommitListener& listener, BatchPool& pool, TargetPlans& plans, HeldBytes& held,
                     const BatchLimits& limits, unsigned shard)
    : listener_(listener),
      pool_(pool),
      plans_(plans),
      held_(held),
      limits_(limits),
      shard_(shard),
      batch_(pool.take()) {}

std::optional<std::string> OpenBatch::append(const RowTargetPtr& target,
                                             std::span<const Value> values,
                                             const MessageView& message) {
  TargetPlan& plan = plans_.for_open(target);
  TargetRows& rows = batch_->rows_of(plan);
  const std::size_t row_start = rows.rows.size();
  auto problem = plan.encoder().append(values, rows.rows);
  if (problem) return problem;
  const std::size_t row_bytes = rows.rows.size() - row_start;
  const std::size_t kept_before = batch_->messages.bytes();
  rows.messages.push_back(batch_->messages.keep(message));
  batch_->rows_added(1, row_bytes);
  held_.hold(*batch_, row_bytes + batch_->messages.bytes() - kept_before + sizeof(std::uint32_t));
  return std::nullopt;
}

void OpenBatch::append_dead_letter(const DeadLetters::Cause& cause, const MessageView& message) {
  const std::size_t before = batch_->dead_letters.rows().size();
  batch_->dead_letters.add(cause, message, 0);
  batch_->failed_by_rule.emplace_back(cause.rule, message.id);
  held_.hold(*batch_, batch_->dead_letters.rows().size() - before + sizeof(Receipt));
}

void OpenBatch::make_durable(const DurableChange& change) {
  assert(closing_);
  held_.hold(*batch_, batch_->session_changes.add(change));
}

void OpenBatch::add_to_ledger(LedgerEntries::Rule entry) {
  assert(closing_);
  held_.hold(*batch_, sizeof entry + entry.rule.size());
  batch_->ledger.rules.push_back(std::move(entry));
}

void OpenBatch::add_to_device_ledger(LedgerEntries::Device entry) {
  assert(closing_);
  held_.hold(*batch_, sizeof entry + entry.rule.size() + entry.device.size());
  batch_->ledger.devices.push_back(std::move(entry));
}

void OpenBatch::add_to_sequence(LedgerEntries::Sequence entry) {
  assert(closing_);
  held_.hold(*batch_, sizeof entry + entry.rule.size() + entry.device.size() + entry.seen.size());
  batch_->ledger.sequences.push_back(std::move(entry));
}

void OpenBatch::add_to_journal(JournalEntry entry) {
  assert(closing_);
  held_.hold(*batch_, sizeof entry + entry.lines.size());
  batch_->ledger.journal.push_back(std::move(entry));
}

void OpenBatch::mark_journal(const JournalMark& mark, const JournalRange& forgotten) {
  assert(closing_);
  batch_->ledger.journal_mark = mark;
  batch_->ledger.journal_forgotten = forgotten;
}

void OpenBatch::add_usage(std::string_view meter, LedgerEntries::Usage entry) {
  assert(closing_);
  held_.hold(*batch_, sizeof entry);
  batch_->ledger.meter = meter;
  batch_->ledger.shard = shard_;
  batch_->ledger.usage.push_back(entry);
}

void OpenBatch::add_active_device(std::string_view meter, LedgerEntries::ActiveDevice entry) {
  assert(closing_);
  held_.hold(*batch_, sizeof entry + entry.device.size());
  batch_->ledger.meter = meter;
  batch_->ledger.active_devices.push_back(std::move(entry));
}

std::unique_ptr<Batch> OpenBatch::close() {
  closing_ = true;
  listener_.on_batch_closing();
  closing_ = false;
  return std::exchange(batch_, pool_.take());
}

}  // namespace hub::storage
