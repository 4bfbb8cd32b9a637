#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "storage/batch.h"
#include "storage/batch_pool.h"
#include "storage/batch_writer.h"
#include "storage/held_bytes.h"
#include "storage/target_plans.h"

namespace hub::storage {

// The batch of a writer that is being filled; there always is one. What it takes is counted as held
// from then on. Those calls of BatchWriter that fill it are its own, with the contracts there. On
// the writer's thread.
class OpenBatch {
 public:
  // All that is given by reference outlives it. shard: of the writer.
  OpenBatch(CommitListener& listener, BatchPool& pool, TargetPlans& plans, HeldBytes& held,
            const BatchLimits& limits, unsigned shard);

  // At any time.
  [[nodiscard]] std::optional<std::string> append(const RowTargetPtr& target,
                                                  std::span<const Value> values,
                                                  const MessageView& message);
  void append_dead_letter(const DeadLetters::Cause& cause, const MessageView& message);
  void want() noexcept { batch_->wanted = true; }  // it is to be sent although it may have no row

  // While it is closed, only: from CommitListener::on_batch_closing().
  void make_durable(const DurableChange& change);
  void add_to_ledger(LedgerEntries::Rule entry);
  void add_to_device_ledger(LedgerEntries::Device entry);
  void add_to_sequence(LedgerEntries::Sequence entry);
  void add_to_journal(JournalEntry entry);
  void mark_journal(const JournalMark& mark, const JournalRange& forgotten);
  void add_usage(std::string_view meter, LedgerEntries::Usage entry);
  void add_active_device(std::string_view meter, LedgerEntries::ActiveDevice entry);

  // There is nothing in it that has to be sent.
  [[nodiscard]] bool empty() const noexcept { return batch_->empty(); }
  // It has what a batch may have.
  [[nodiscard]] bool full() const noexcept {
    return batch_->rows() >= limits_.rows || batch_->row_bytes() >= limits_.bytes;
  }
  [[nodiscard]] Batch& batch() noexcept { return *batch_; }

  // Lets the listener add what belongs to it, and puts an empty one in its place. Between two turns
  // of the shard's loop, or at the end of one: it must not have a part of what one message led to.
  [[nodiscard]] std::unique_ptr<Batch> close();

 private:
  CommitListener& listener_;
  BatchPool& pool_;
  TargetPlans& plans_;
  HeldBytes& held_;
  const BatchLimits& limits_;
  const unsigned shard_;
  std::unique_ptr<Batch> batch_;
  bool closing_ = false;
};

}  // namespace hub::storage
