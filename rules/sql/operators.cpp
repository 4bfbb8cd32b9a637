#include "rules/sql/operators.h"

#include <cmath>

namespace hub::rules::sql {
namespace {

// The size of the UTF-8 character at text[at].
std::size_t character_size(std::string_view text, std::size_t at) {
  std::size_t size = 1;
  while (at + size < text.size() && (static_cast<unsigned char>(text[at + size]) & 0xC0) == 0x80) {
    ++size;
  }
  return size;
}

}  // namespace

std::optional<std::int64_t> exact_integer(const Value& value) {
  if (value.kind() == Value::Kind::integer) return value.as_integer();
  const double number = value.as_number();
  if (std::trunc(number) != number || number < -0x1p63 || number >= 0x1p63) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

std::optional<std::partial_ordering> compare(const Value& a, const Value& b) {
  if (a.kind() == Value::Kind::integer && b.kind() == Value::Kind::integer) {
    return a.as_integer() <=> b.as_integer();
  }
  if (is_numeric(a) && is_numeric(b)) return to_double(a) <=> to_double(b);
  if (a.kind() != b.kind()) return std::nullopt;
  if (a.kind() == Value::Kind::text) return a.as_text() <=> b.as_text();
  if (a.kind() == Value::Kind::boolean) return a.as_boolean() <=> b.as_boolean();
  return std::nullopt;
}

// Walks both; a mismatch goes back to the last %, which then takes one character more.
bool like(std::string_view text, std::string_view pattern) {
  std::size_t t = 0;
  std::size_t p = 0;
  std::size_t after_percent = std::string_view::npos;
  std::size_t taken_to = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '%') {
      after_percent = ++p;
      taken_to = t;
      continue;
    }
    if (p < pattern.size() && pattern[p] == '_') {
      t += character_size(text, t);
      ++p;
      continue;
    }
    const std::size_t escape = p + 1 < pattern.size() && pattern[p] == '\\' ? 1 : 0;
    if (p < pattern.size() && pattern[p + escape] == text[t]) {
      ++t;
      p += 1 + escape;
      continue;
    }
    if (after_percent == std::string_view::npos) return false;
    taken_to += character_size(text, taken_to);
    t = taken_to;
    p = after_percent;
  }
  while (p < pattern.size() && pattern[p] == '%') ++p;
  return p == pattern.size();
}

}  // namespace hub::rules::sql
