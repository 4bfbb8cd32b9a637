#include "hub/seen_numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>

namespace hub {

void SeenNumbers::add(std::int64_t number) {
  if (!ranges_.empty()) {
    Range& last = ranges_.back();
    if (number == last.end && number < std::numeric_limits<std::int64_t>::max()) {
      ++last.end;
      return;
    }
    if (number >= last.begin && number < last.end) return;
  }
  insert(number);
}

void SeenNumbers::insert(std::int64_t number) {
  if (number == std::numeric_limits<std::int64_t>::max()) return;  // has no successor
  // The first range that begins after the number.
  const auto after =
      std::upper_bound(ranges_.begin(), ranges_.end(), number,
                       [](std::int64_t n, const Range& range) { return n < range.begin; });
  const bool extends_next = after != ranges_.end() && after->begin == number + 1;
  if (after != ranges_.begin()) {
    const auto before = std::prev(after);
    if (number < before->end) return;
    if (number == before->end) {
      before->end = extends_next ? after->end : number + 1;
      if (extends_next) ranges_.erase(after);
      return;
    }
  }
  if (extends_next) {
    after->begin = number;
    return;
  }
  ranges_.insert(after, {number, number + 1});
  if (ranges_.size() > kMaxRanges) {
    give_up(static_cast<std::uint64_t>(ranges_[1].begin) -
            static_cast<std::uint64_t>(ranges_[0].end));
    ranges_[1].begin = ranges_[0].begin;
    ranges_.erase(ranges_.begin());
  }
}

// The ends of a gap may be further apart than the count reaches: there it stays.
void SeenNumbers::give_up(std::uint64_t numbers) {
  const std::int64_t room = std::numeric_limits<std::int64_t>::max() - given_up_;
  given_up_ += static_cast<std::int64_t>(std::min(numbers, static_cast<std::uint64_t>(room)));
}

void SeenNumbers::clear() {
  ranges_.clear();
  given_up_ = 0;
}

std::string SeenNumbers::to_string() const {
  std::string out = "{";
  for (const Range& range : ranges_) {
    fmt::format_to(std::back_inserter(out), "{}[{},{})", out.size() > 1 ? "," : "", range.begin,
                   range.end);
  }
  return out + "}";
}

}  // namespace hub
