#include "storage/json_text.h"

#include <cstring>

namespace hub::storage {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The value of the four hexadecimal digits at p.
unsigned hex4(const char* p) {
  unsigned value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = p[i];
    const int digit = is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
    value = value * 16 + static_cast<unsigned>(digit & 15);
  }
  return value;
}

const char* escape_problem(std::string_view json) {
  constexpr const char* kHalf = "has half a surrogate pair, which jsonb cannot hold";
  bool high_pending = false;
  std::size_t pending_at = 0;
  for (std::size_t i = json.find('\\'); i != std::string_view::npos; i = json.find('\\', i)) {
    if (high_pending && i != pending_at) return kHalf;
    if (i + 1 >= json.size()) break;
    if (json[i + 1] != 'u' || i + 6 > json.size()) {
      if (high_pending) return kHalf;
      i += 2;
      continue;
    }
    const unsigned unit = hex4(json.data() + i + 2);
    const bool low = unit >= 0xDC00 && unit <= 0xDFFF;
    if (unit == 0) return "has the character \\u0000, which jsonb cannot hold";
    if (low != high_pending) return kHalf;
    high_pending = unit >= 0xD800 && unit <= 0xDBFF;
    i += 6;
    pending_at = i;
  }
  return high_pending ? kHalf : nullptr;
}

// True when an exponent of five or more digits stands outside of every string.
bool has_huge_exponent(std::string_view json) {
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '"') {
      in_string = !in_string;
    } else if (c == '\\') {
      ++i;
    } else if (!in_string && (c | 0x20) == 'e') {
      std::size_t at = i + 1;
      if (at < json.size() && (json[at] == '+' || json[at] == '-')) ++at;
      while (at < json.size() && json[at] == '0') ++at;
      const std::size_t start = at;
      while (at < json.size() && is_digit(json[at])) ++at;
      if (at - start >= 5) return true;
    }
  }
  return false;
}

// A cheap look that says no for nearly every payload: five digits after an e and a sign or digit.
bool may_have_huge_exponent(std::string_view json) {
  for (std::size_t i = 0; i + 5 < json.size(); ++i) {
    if ((json[i] | 0x20) == 'e' && is_digit(json[i + 5]) && is_digit(json[i + 4])) return true;
  }
  return false;
}

}  // namespace

const char* jsonb_problem(std::string_view json) noexcept {
  if (json.empty()) return nullptr;
  if (std::memchr(json.data(), '\\', json.size()) != nullptr) {
    const char* const problem = escape_problem(json);
    if (problem != nullptr) return problem;
  }
  if (may_have_huge_exponent(json) && has_huge_exponent(json)) {
    return "has a number past the range of numeric";
  }
  return nullptr;
}

void append_json_string(std::string_view text, ByteBuffer& out) {
  constexpr char kHex[] = "0123456789abcdef";
  char* const start = out.reserve(text.size() * 6 + 2);
  char* to = start;
  *to++ = '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == '"' || byte == '\\') {
      *to++ = '\\';
      *to++ = c;
    } else if (byte < 0x20) {
      std::memcpy(to, "\\u00", 4);
      to[4] = kHex[byte >> 4];
      to[5] = kHex[byte & 15];
      to += 6;
    } else {
      *to++ = c;
    }
  }
  *to++ = '"';
  out.grow(static_cast<std::size_t>(to - start));
}

}  // namespace hub::storage
