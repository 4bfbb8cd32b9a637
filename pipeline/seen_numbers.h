#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace hub {

// Which sequence numbers have arrived, as ranges. Numbers may come in any order and again.
// Bounded: of too many ranges the lowest two become one, and what lies between them is only
// counted.
class SeenNumbers {
 public:
  static constexpr std::size_t kMaxRanges = 64;

  void add(std::int64_t number);
  void add(const SeenNumbers& others);
  void clear();

  [[nodiscard]] bool empty() const noexcept { return ranges_.empty(); }
  // As PostgreSQL writes an int8multirange: "{[1,4),[6,7)}".
  [[nodiscard]] std::string to_string() const;
  // Numbers that did not arrive between ranges which had to be joined.
  [[nodiscard]] std::int64_t given_up() const noexcept { return given_up_; }

 private:
  struct Range {
    std::int64_t begin;
    std::int64_t end;  // past the last
  };
  void insert(Range added);
  void give_up(std::uint64_t numbers);

  std::vector<Range> ranges_;  // in order, none touching another
  std::int64_t given_up_ = 0;
};

}  // namespace hub
