#include "rules/sql/bound.h"

namespace hub::rules::sql {

std::string shown(const BoundExpr& expr) {
  constexpr std::size_t kShown = 80;
  std::string text;
  for (const char c : expr.source) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (space && (text.empty() || text.back() == ' ')) continue;
    text += space ? ' ' : c;
  }
  if (text.size() <= kShown) return text;
  std::size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

}  // namespace hub::rules::sql
