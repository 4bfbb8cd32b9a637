#include "pipeline/seen_numbers.h"

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
  if (number == std::numeric_limits<std::int64_t>::max()) return;  // has no successor
  insert({number, number + 1});
}

void SeenNumbers::add(const SeenNumbers& others) {
  for (const Range& range : others.ranges_) insert(range);
  give_up(static_cast<std::uint64_t>(others.given_up_));
}

void SeenNumbers::insert(Range added) {
  // Those that it touches become one with it.
  const auto first =
      std::lower_bound(ranges_.begin(), ranges_.end(), added.begin,
                       [](const Range& range, std::int64_t begin) { return range.end < begin; });
  auto last = first;
  for (; last != ranges_.end() && last->begin <= added.end; ++last) {
    added.begin = std::min(added.begin, last->begin);
    added.end = std::max(added.end, last->end);
  }
  if (first != last) {
    *first = added;
    ranges_.erase(std::next(first), last);
    return;
  }
  ranges_.insert(first, added);
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
