#pragma once

#include <cstddef>
#include <utility>

#include "storage/batch.h"

namespace hub::storage {

// What a writer holds until it has committed, in bytes, and whether that is too much: from 90 % of
// the limit until below 70 %, so that publishers are not stopped and let go with every batch. On
// the writer's thread.
class HeldBytes {
 public:
  explicit HeldBytes(std::size_t limit) noexcept : limit_(limit) {}

  // The batch holds so much more.
  void hold(Batch& batch, std::size_t bytes) noexcept {
    batch.held_bytes += bytes;
    total_ += bytes;
    update();
  }
  // The batch holds nothing any more.
  void release(Batch& batch) noexcept {
    total_ -= std::exchange(batch.held_bytes, 0);
    update();
  }

  [[nodiscard]] std::size_t total() const noexcept { return total_; }
  [[nodiscard]] bool congested() const noexcept { return congested_; }

 private:
  void update() noexcept {
    if (!congested_ && total_ > limit_ / 10 * 9) congested_ = true;
    if (congested_ && total_ < limit_ / 10 * 7) congested_ = false;
  }

  const std::size_t limit_;
  std::size_t total_ = 0;
  bool congested_ = false;
};

}  // namespace hub::storage
