#pragma once

#include <deque>
#include <memory>

#include "storage/batch.h"
#include "storage/open_batch.h"

namespace hub::storage {

// Where a writer's batches are until they have committed:
//
//   open → closed ─┬→ sending                    to the database
//                  └→ appending → (its record) → sending      by way of the spool
//
// They leave in the order in which they were filled; so do the acknowledgements. On the writer's
// thread.
class PendingBatches {
 public:
  // The open batch outlives it.
  explicit PendingBatches(OpenBatch& open) noexcept : open_(open) {}

  // Something is neither committed nor in the spool.
  [[nodiscard]] bool any() const noexcept {
    return !open_.empty() || !closed_.empty() || appending || (sending && !sending->spooled);
  }
  // No batch is under way, and none is closed and waits. (Records in the spool still go first.)
  [[nodiscard]] bool open_is_next() const noexcept { return !sending && closed_.empty(); }

  // The batch that what was appended last is in, if that is neither committed nor in the spool;
  // null otherwise.
  [[nodiscard]] Batch* last() noexcept;

  // Closes the open batch once it is full; between two turns.
  void close_full();
  // The one that has waited longest, closed; null when none waits. Closes the open batch when no
  // other one waits.
  [[nodiscard]] std::unique_ptr<Batch> take_first();
  // The one that was taken last: it is the first again.
  void put_back(std::unique_ptr<Batch> batch) { closed_.push_front(std::move(batch)); }

  // On its way to the database, from before its first attempt until it has committed. With
  // Batch::spooled it is in the spool as well, and acknowledged; either as it came from there, or
  // as it has been on its way for too long.
  std::unique_ptr<Batch> sending;
  // On its way to the spool, if it is not `sending` that is.
  std::unique_ptr<Batch> appending;

 private:
  OpenBatch& open_;
  std::deque<std::unique_ptr<Batch>> closed_;
};

}  // namespace hub::storage
