#include "storage/pending_batches.h"

namespace hub::storage {

Batch* PendingBatches::last() noexcept {
  if (!open_.empty()) return &open_.batch();
  if (!closed_.empty()) return closed_.back().get();
  if (appending) return appending.get();
  if (sending && !sending->spooled) return sending.get();
  return nullptr;
}

void PendingBatches::close_full() {
  if (open_.full()) closed_.push_back(open_.close());
}

std::unique_ptr<Batch> PendingBatches::take_first() {
  if (closed_.empty()) return open_.empty() ? nullptr : open_.close();
  std::unique_ptr<Batch> first = std::move(closed_.front());
  closed_.pop_front();
  return first;
}

}  // namespace hub::storage
