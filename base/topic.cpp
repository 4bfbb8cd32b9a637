#include "base/topic.h"

#include <cstdint>
#include <cstring>

namespace hub {
namespace {

// Length of the well-formed UTF-8 sequence at p (Unicode 15, table 3-7), or 0.
std::size_t utf8_sequence(const unsigned char* p, std::size_t left) {
  const auto continues = [&](std::size_t i) { return i < left && (p[i] & 0xC0) == 0x80; };
  if (p[0] < 0x80) return 1;
  if (p[0] >= 0xC2 && p[0] <= 0xDF) return continues(1) ? 2 : 0;
  if (p[0] >= 0xE0 && p[0] <= 0xEF) {
    if (!continues(1) || !continues(2)) return 0;
    if (p[0] == 0xE0 && p[1] < 0xA0) return 0;  // overlong
    if (p[0] == 0xED && p[1] > 0x9F) return 0;  // surrogate
    return 3;
  }
  if (p[0] >= 0xF0 && p[0] <= 0xF4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (p[0] == 0xF0 && p[1] < 0x90) return 0;  // overlong
    if (p[0] == 0xF4 && p[1] > 0x8F) return 0;  // past U+10FFFF
    return 4;
  }
  return 0;
}

constexpr std::uint64_t repeated(std::uint8_t byte) { return 0x0101010101010101u * byte; }

constexpr bool has_zero_byte(std::uint64_t word) {
  return ((word - repeated(0x01)) & ~word & repeated(0x80)) != 0;
}

// Eight bytes that need no closer look: ASCII, no NUL and, in a topic name, no wildcard. '#' and
// '+' differ in one bit only.
template <bool kTopicName>
bool is_plain(const unsigned char* p) {
  static_assert(('#' ^ '+') == 0x08);
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  if ((word & repeated(0x80)) != 0 || has_zero_byte(word)) return false;
  return !kTopicName || !has_zero_byte((word & ~repeated(0x08)) ^ repeated('#'));
}

template <bool kTopicName>
bool is_valid_text(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t left = text.size();
  while (left > 0) {
    if (left >= 8) {
      if (is_plain<kTopicName>(p)) {
        p += 8;
        left -= 8;
        continue;
      }
    } else if (text.size() >= 8 && is_plain<kTopicName>(p + left - 8)) {
      return true;  // the rest, and with it a few bytes that were seen before
    }
    if (*p == 0 || (kTopicName && (*p == '#' || *p == '+'))) return false;
    const std::size_t bytes = utf8_sequence(p, left);
    if (bytes == 0) return false;
    p += bytes;
    left -= bytes;
  }
  return true;
}

}  // namespace

bool is_valid_utf8_string(std::string_view text) noexcept { return is_valid_text<false>(text); }

bool is_valid_topic_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kMaxTopicBytes && is_valid_text<true>(name);
}

bool is_valid_topic_filter(std::string_view filter) noexcept {
  if (filter.empty() || filter.size() > kMaxTopicBytes || !is_valid_utf8_string(filter)) {
    return false;
  }
  for (std::size_t i = 0; i < filter.size(); ++i) {
    if (filter[i] != '+' && filter[i] != '#') continue;
    const bool starts_level = i == 0 || filter[i - 1] == '/';
    const bool ends_filter = i + 1 == filter.size();
    if (!starts_level) return false;
    if (filter[i] == '#' ? !ends_filter : !(ends_filter || filter[i + 1] == '/')) return false;
  }
  return true;
}

bool topic_matches(std::string_view filter, std::string_view name) noexcept {
  if (name.starts_with('$') && (filter[0] == '+' || filter[0] == '#')) return false;
  std::size_t f = 0;
  std::size_t n = 0;
  for (;;) {
    if (filter.substr(f) == "#") return true;
    const std::size_t filter_end = filter.find('/', f);
    const std::size_t name_end = name.find('/', n);
    const std::string_view wanted = filter.substr(f, filter_end - f);
    if (wanted != "+" && wanted != name.substr(n, name_end - n)) return false;
    if (name_end == std::string_view::npos) {
      // "sport/#" also matches "sport" (section 4.7.1.2).
      return filter_end == std::string_view::npos || filter.substr(filter_end) == "/#";
    }
    if (filter_end == std::string_view::npos) return false;
    f = filter_end + 1;
    n = name_end + 1;
  }
}

}  // namespace hub
