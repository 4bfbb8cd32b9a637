#include "storage/batch_pool.h"

#include <algorithm>
#include <utility>

namespace hub::storage {

std::unique_ptr<Batch> BatchPool::take() {
  std::unique_ptr<Batch> batch;
  if (spare_.empty()) {
    batch = std::make_unique<Batch>();
  } else {
    batch = std::move(spare_.back());
    spare_.pop_back();
  }
  batch->clear(++last_serial_);
  in_use_.push_back(last_serial_);
  return batch;
}

void BatchPool::give_back(std::unique_ptr<Batch> batch) {
  in_use_.erase(std::find(in_use_.begin(), in_use_.end(), batch->serial));
  if (spare_.size() < kSpareBatches) spare_.push_back(std::move(batch));
}

}  // namespace hub::storage
