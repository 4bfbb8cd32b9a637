#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/steady_time.h"

namespace hub::broker {

// A shard's deadlines in one heap of 24 bytes each, with one timer for the earliest.
//
// Lazy: moving a deadline later costs nothing. Whoever is told that its deadline has come looks
// at its own clock and adds it anew when it has moved (a keep-alive does so once per period, not
// once per packet). Those of owners that are gone stay, until tidy() finds that they may be most.
class Deadlines {
 public:
  enum class Kind : std::uint8_t { connection, will, session_expiry, turn, stop };

  struct Deadline {
    SteadyTime at;
    std::uint64_t owner;  // the handle of a connection or of a session
    Kind kind;
  };

  void add(SteadyTime at, Kind kind, std::uint64_t owner) {
    heap_.push_back({at, owner, kind});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }

  [[nodiscard]] std::optional<SteadyTime> earliest() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.front().at;
  }

  // Removes and returns one deadline that has come, if there is one.
  std::optional<Deadline> take_due(SteadyTime now) {
    if (heap_.empty() || heap_.front().at > now) return std::nullopt;
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Deadline due = heap_.back();
    heap_.pop_back();
    return due;
  }

  // Once there are twice as many as were kept the last time: keeps those for which wanted(Deadline)
  // is true. REQUIRES that `wanted` is true of no more than a few for each owner.
  template <class F>
  void tidy(F wanted) {
    if (heap_.size() < tidy_at_) return;
    std::erase_if(heap_, [&wanted](const Deadline& deadline) { return !wanted(deadline); });
    std::make_heap(heap_.begin(), heap_.end(), later);
    tidy_at_ = std::max(kFew, 2 * heap_.size());
  }

  [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }

 private:
  static constexpr std::size_t kFew = 1'024;

  static bool later(const Deadline& a, const Deadline& b) { return a.at > b.at; }

  std::vector<Deadline> heap_;
  std::size_t tidy_at_ = kFew;
};

}  // namespace hub::broker
