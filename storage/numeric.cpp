#include "storage/numeric.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace hub::storage {
namespace {

constexpr int kMaxDigitsBeforePoint = 131'072;
constexpr int kMaxDigitsAfterPoint = 16'383;
constexpr std::uint16_t kNegative = 0x4000;

// A decimal number taken apart: the value is 0.d1d2d3… × 10^point, the digits being those of two
// adjoining texts.
struct Decimal {
  bool negative = false;
  std::string_view whole;     // digits before the point, no leading zero
  std::string_view fraction;  // digits after it
  long exponent = 0;

  [[nodiscard]] long count() const { return static_cast<long>(whole.size() + fraction.size()); }
  [[nodiscard]] int digit(long i) const {
    if (i < 0 || i >= count()) return 0;
    const auto at = static_cast<std::size_t>(i);
    return (at < whole.size() ? whole[at] : fraction[at - whole.size()]) - '0';
  }
  // How many digits stand before the point once the exponent is applied; may be negative.
  [[nodiscard]] long point() const { return static_cast<long>(whole.size()) + exponent; }
};

std::string_view take_digits(std::string_view& text) {
  const auto end =
      std::find_if(text.begin(), text.end(), [](char c) { return c < '0' || c > '9'; });
  const std::string_view digits(text.data(), static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(digits.size());
  return digits;
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal out;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    out.negative = text[0] == '-';
    text.remove_prefix(1);
  }
  out.whole = take_digits(text);
  const bool has_whole = !out.whole.empty();
  if (!text.empty() && text[0] == '.') {
    text.remove_prefix(1);
    out.fraction = take_digits(text);
  }
  if (!has_whole && out.fraction.empty()) return std::nullopt;
  if (!text.empty() && (text[0] == 'e' || text[0] == 'E')) {
    text.remove_prefix(1);
    if (!text.empty() && text[0] == '+') {
      text.remove_prefix(1);
      if (!text.empty() && text[0] == '-') return std::nullopt;
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.exponent);
    if (error == std::errc::result_out_of_range) {
      out.exponent = text[0] == '-' ? -10'000'000 : 10'000'000;
    } else if (error != std::errc()) {
      return std::nullopt;
    }
    out.exponent = std::clamp(out.exponent, -10'000'000L, 10'000'000L);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
  if (!text.empty()) return std::nullopt;
  out.whole.remove_prefix(std::min(out.whole.find_first_not_of('0'), out.whole.size()));
  return out;
}

// Floor of n / 4, also for negative n.
long group_of(long n) { return n >= 0 ? n / 4 : -((3 - n) / 4); }

}  // namespace

NumericResult append_numeric(std::string_view text, unsigned precision, unsigned scale,
                             ByteBuffer& out) {
  const auto parsed = parse_decimal(text);
  if (!parsed) return NumericResult::not_a_number;
  const Decimal& number = *parsed;

  long first = 0;  // the first digit that is not 0
  while (first < number.count() && number.digit(first) == 0) ++first;
  const bool zero = first == number.count();
  const long point = number.point();

  // The last digit that is kept, and whether what follows rounds it up.
  const long shown_scale = std::max(0L, number.count() - point);
  long kept_scale = zero ? std::min(shown_scale, long{kMaxDigitsAfterPoint}) : shown_scale;
  bool round_up = false;
  if (precision > 0 && shown_scale > static_cast<long>(scale)) {
    kept_scale = static_cast<long>(scale);
    round_up = number.digit(point + kept_scale) >= 5;
  }
  if (kept_scale > kMaxDigitsAfterPoint) return NumericResult::out_of_range;
  const long before_point =
      zero ? 0 : point - first;  // digits before the point; negative: zeros after
  if (before_point > kMaxDigitsBeforePoint) return NumericResult::out_of_range;

  // Groups of four digits, aligned to the point: group g holds the digits of 10000^g.
  const long top = zero ? 0 : group_of(before_point - 1) + 1;  // one more, for a carry
  const long bottom = -((kept_scale + 3) / 4);
  const std::size_t start = out.size();
  const long groups = top - bottom + 1;
  if (groups <= 0) {  // everything was rounded away
    char* header = out.reserve(8);
    std::memset(header, 0, 8);
    ByteBuffer::store(header + 6, static_cast<std::uint16_t>(kept_scale));
    out.grow(8);
    return NumericResult::appended;
  }
  char* const header = out.reserve(8 + 2 * static_cast<std::size_t>(groups));
  char* const digits = header + 8;
  const auto group_value = [&](long g) {
    int value = 0;
    for (long place = 3; place >= 0; --place) {
      const long i = point - 1 - (4 * g + place);  // the digit of 10^(4g + place)
      const bool kept = 4 * g + place >= -kept_scale;
      value = value * 10 + (kept ? number.digit(i) : 0);
    }
    return value;
  };
  int carry = 0;
  if (round_up) {  // one unit of the last kept place, within the lowest group
    carry = 1;
    for (long place = -kept_scale - 4 * bottom; place > 0; --place) carry *= 10;
  }
  for (long g = bottom; g <= top; ++g) {
    int value = group_value(g) + carry;
    carry = value >= 10'000 ? 1 : 0;
    value -= carry * 10'000;
    ByteBuffer::store(digits + 2 * (top - g), static_cast<std::uint16_t>(value));
  }

  const auto group_at = [&](long g) {
    const auto* at = reinterpret_cast<const unsigned char*>(digits + 2 * (top - g));
    return at[0] * 256 + at[1];
  };
  long high = top;
  while (high >= bottom && group_at(high) == 0) --high;
  long low = bottom;
  while (low <= high && group_at(low) == 0) ++low;
  if (precision > 0 && high >= bottom) {
    const int leading = group_at(high);
    const long places = 4 * high + (leading >= 1000  ? 4
                                    : leading >= 100 ? 3
                                    : leading >= 10  ? 2
                                                     : 1);
    if (places > static_cast<long>(precision) - static_cast<long>(scale)) {
      out.cut(start);
      return NumericResult::out_of_range;
    }
  }
  const std::size_t count = high >= low ? static_cast<std::size_t>(high - low + 1) : 0;
  if (count > 0) std::memmove(digits, digits + 2 * (top - high), 2 * count);
  ByteBuffer::store(header, static_cast<std::uint16_t>(count));
  ByteBuffer::store(header + 2, static_cast<std::int16_t>(count > 0 ? high : 0));
  ByteBuffer::store(header + 4, count > 0 && number.negative ? kNegative : std::uint16_t{0});
  ByteBuffer::store(header + 6, static_cast<std::uint16_t>(kept_scale));
  out.grow(8 + 2 * count);
  return NumericResult::appended;
}

}  // namespace hub::storage
