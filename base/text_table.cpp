#include "base/text_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace hub {

void TextTable::add(const std::vector<std::string>& cells) {
  auto& line = lines_.emplace_back();
  for (const std::string& cell : cells) line.push_back(log::escape_control_characters(cell));
}

void TextTable::print(std::ostream& out, std::size_t left) const {
  std::vector<std::size_t> widths;
  for (const auto& line : lines_) {
    widths.resize(std::max(widths.size(), line.size()));
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  for (const auto& line : lines_) {
    std::string text;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (i > 0) text += "  ";
      text += i < left ? fmt::format("{:<{}}", line[i], widths[i])
                       : fmt::format("{:>{}}", line[i], widths[i]);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out << text << '\n';
  }
}

}  // namespace hub
