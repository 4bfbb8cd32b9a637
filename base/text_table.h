#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace hub {

// Lines of cells for a terminal, in columns as wide as they must be. Control characters in cells
// are escaped.
class TextTable {
 public:
  // The first line is the head.
  void add(const std::vector<std::string>& cells);

  // The first `left` columns have text and stand to the left, the others numbers, to the right. The
  // last column of a line is not filled up.
  void print(std::ostream& out, std::size_t left) const;

 private:
  std::vector<std::vector<std::string>> lines_;
};

}  // namespace hub
