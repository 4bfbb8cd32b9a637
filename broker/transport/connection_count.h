#pragma once

#include <atomic>
#include <cstddef>

namespace hub::broker {

// The connections of all shards, held against the bound that they have together. Thread-safe; not
// for the path of a message.
class ConnectionCount {
 public:
  explicit ConnectionCount(std::size_t most) noexcept : most_(most) {}

  // False when there are as many as there may be.
  [[nodiscard]] bool try_add() noexcept {
    if (open_.fetch_add(1, std::memory_order_relaxed) < most_) return true;
    remove();
    return false;
  }
  void remove() noexcept { open_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  const std::size_t most_;
  std::atomic<std::size_t> open_ = 0;
};

}  // namespace hub::broker
