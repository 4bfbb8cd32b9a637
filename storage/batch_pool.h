#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "storage/batch.h"

namespace hub::storage {

// Makes a writer's batches, and keeps some of those that are done with, so that their buffers serve
// the next ones. On the writer's thread.
class BatchPool {
 public:
  // An empty batch, with a serial number beyond all before. Whatever became of it, it has to come
  // back by give_back(), except at the end of the writer.
  [[nodiscard]] std::unique_ptr<Batch> take();
  void give_back(std::unique_ptr<Batch> batch);

  // The serial number of the oldest batch that has not come back; of the next one if all have.
  [[nodiscard]] std::uint64_t oldest_in_use() const noexcept {
    return in_use_.empty() ? last_serial_ + 1 : in_use_.front();
  }

 private:
  static constexpr std::size_t kSpareBatches = 3;

  std::uint64_t last_serial_ = 0;
  std::vector<std::uint64_t> in_use_;  // serial numbers, ascending; as few as there are batches
  std::vector<std::unique_ptr<Batch>> spare_;
};

}  // namespace hub::storage
