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
  // The first digit that is not 0; count() when there is none.
  [[nodiscard]] long first() const {
    long i = 0;
    while (i < count() && digit(i) == 0) ++i;
    return i;
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

// Up to which digit a number is kept.
struct Kept {
  long scale = 0;         // digits after the point
  bool round_up = false;  // by what follows
};

Kept kept_part(const Decimal& number, bool zero, unsigned precision, unsigned scale) {
  const long shown = std::max(0L, number.count() - number.point());
  const long wanted = static_cast<long>(scale);
  if (precision > 0 && shown > wanted) return {wanted, number.digit(number.point() + wanted) >= 5};
  return {zero ? std::min(shown, long{kMaxDigitsAfterPoint}) : shown};
}

// Groups of four digits, aligned to the point: group g holds the digits of 10000^g. Those from top
// down to bottom are at `digits`, in this order and in network byte order.
struct Groups {
  char* digits;
  long top;
  long bottom;

  [[nodiscard]] int at(long g) const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(digits + 2 * (top - g));
    return bytes[0] * 256 + bytes[1];
  }
  void set(long g, int value) {
    ByteBuffer::store(digits + 2 * (top - g), static_cast<std::uint16_t>(value));
  }
  // Without the groups that are 0 at either end; none is left of 0.
  void trim() {
    long high = top;
    while (high >= bottom && at(high) == 0) --high;
    while (bottom <= high && at(bottom) == 0) ++bottom;
    if (high >= bottom) std::memmove(digits, digits + 2 * (top - high), 2 * count(high, bottom));
    top = high;
  }
  [[nodiscard]] std::size_t size() const { return count(top, bottom); }
  // Of the whole, before the point. Requires size() > 0, after trim().
  [[nodiscard]] long places() const {
    const int leading = at(top);
    return 4 * top + (leading >= 1000 ? 4 : leading >= 100 ? 3 : leading >= 10 ? 2 : 1);
  }

 private:
  static std::size_t count(long high, long low) {
    return high >= low ? static_cast<std::size_t>(high - low + 1) : 0;
  }
};

void write_groups(const Decimal& number, const Kept& kept, Groups& out) {
  const auto value_of = [&](long g) {
    int value = 0;
    for (long place = 3; place >= 0; --place) {
      const long i = number.point() - 1 - (4 * g + place);  // the digit of 10^(4g + place)
      const bool is_kept = 4 * g + place >= -kept.scale;
      value = value * 10 + (is_kept ? number.digit(i) : 0);
    }
    return value;
  };
  int carry = 0;
  if (kept.round_up) {  // one unit of the last kept place, within the lowest group
    carry = 1;
    for (long place = -kept.scale - 4 * out.bottom; place > 0; --place) carry *= 10;
  }
  for (long g = out.bottom; g <= out.top; ++g) {
    int value = value_of(g) + carry;
    carry = value >= 10'000 ? 1 : 0;
    value -= carry * 10'000;
    out.set(g, value);
  }
}

}  // namespace

NumericResult append_numeric(std::string_view text, unsigned precision, unsigned scale,
                             ByteBuffer& out) {
  const auto number = parse_decimal(text);
  if (!number) return NumericResult::not_a_number;
  const long first = number->first();
  const bool zero = first == number->count();
  const Kept kept = kept_part(*number, zero, precision, scale);
  if (kept.scale > kMaxDigitsAfterPoint) return NumericResult::out_of_range;
  // Digits before the point; negative: zeros after it.
  const long before_point = zero ? 0 : number->point() - first;
  if (before_point > kMaxDigitsBeforePoint) return NumericResult::out_of_range;

  const long top = zero ? 0 : group_of(before_point - 1) + 1;  // one more, for a carry
  const long bottom = -((kept.scale + 3) / 4);                 // above top: all is rounded away
  char* const header =
      out.reserve(8 + 2 * static_cast<std::size_t>(std::max(0L, top - bottom + 1)));
  Groups groups{header + 8, top, bottom};
  write_groups(*number, kept, groups);
  groups.trim();
  const std::size_t size = groups.size();
  if (precision > 0 && size > 0 &&
      groups.places() > static_cast<long>(precision) - static_cast<long>(scale)) {
    return NumericResult::out_of_range;
  }
  ByteBuffer::store(header, static_cast<std::uint16_t>(size));
  ByteBuffer::store(header + 2, static_cast<std::int16_t>(size > 0 ? groups.top : 0));
  ByteBuffer::store(header + 4, size > 0 && number->negative ? kNegative : std::uint16_t{0});
  ByteBuffer::store(header + 6, static_cast<std::uint16_t>(kept.scale));
  out.grow(8 + 2 * size);
  return NumericResult::appended;
}

}  // namespace hub::storage
