#include "rules/payload/json_scanner.h"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string>

#include "rules/payload/json_text.h"

namespace hub::rules {
namespace {

constexpr std::uint64_t kEachByte = 0x0101'0101'0101'0101u;
constexpr std::uint64_t kHighBits = 0x8080'8080'8080'8080u;

std::uint64_t load(const char* from) {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

// High bits at the bytes that end a run of ordinary string characters: '"', '\', and controls.
// The lowest bit that is set is exact; those above it may be spurious.
std::uint64_t special_bytes(std::uint64_t word) {
  const std::uint64_t quote = word ^ (kEachByte * '"');
  const std::uint64_t backslash = word ^ (kEachByte * '\\');
  return (((word - kEachByte * 0x20) & ~word) | ((quote - kEachByte) & ~quote) |
          ((backslash - kEachByte) & ~backslash)) &
         kHighBits;
}
static_assert(std::endian::native == std::endian::little,
              "special_bytes() counts from the low end");

bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

constexpr double kPowersOfTen[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// Beyond the range of a double: an infinity; so near to zero that no double is nearer: zero.
double to_double(std::string_view number, bool small) {
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error == std::errc::result_out_of_range) return small ? 0.0 : HUGE_VAL;
  return value;
}

}  // namespace

struct JsonScanner::Cursor {
  const char* at;
  const char* end;
  std::uint64_t high = 0;  // all string bytes or-ed: tells whether any is not ASCII

  [[gnu::always_inline]] void skip_space() {
    while (at < end && static_cast<unsigned char>(*at) <= ' ') {
      if (*at != ' ' && *at != '\n' && *at != '\r' && *at != '\t') return;
      ++at;
    }
  }
  [[nodiscard]] [[gnu::always_inline]] bool is(char c) const { return at < end && *at == c; }
};

// A number as it stands in the text, taken apart.
struct JsonScanner::Number {
  const char* begin = nullptr;
  std::uint64_t mantissa = 0;  // all digits; wraps past 19 of them, and then it is not used
  std::ptrdiff_t whole_digits = 0;
  std::ptrdiff_t fraction = 0;  // digits after the point
  std::ptrdiff_t exponent = 0;
  bool negative = false;
  bool whole = true;  // neither point nor exponent
};

JsonScanner::JsonScanner(const PayloadPaths& paths) : paths_(paths), fields_(paths.slots()) {}

bool JsonScanner::scan(std::string_view text) {
  if (++epoch_ == 0) {  // the counter has wrapped: old marks must not come alive again
    for (Field& field : fields_) field.epoch = 0;
    epoch_ = 1;
  }
  text_ = text.data();
  unfit_ = JsonUnfit::nothing;
  depth_ = 0;
  names_ = 0;
  Cursor in{text.data(), text.data() + text.size()};
  std::uint32_t slot = PayloadPaths::kRoot;
  for (;;) {
    in.skip_space();
    if (in.at == in.end) return fail(text.empty() ? "it is empty" : "it ends too early", in.at);
    bool opened = false;
    if (*in.at == '{' || *in.at == '[') {
      const bool is_object = *in.at == '{';
      if (!open(in, slot, is_object)) return false;
      in.skip_space();
      opened = !in.is(is_object ? '}' : ']');
    } else if (!scalar(in, slot)) {
      return false;
    }
    // Close what ends here, up to the next member or element.
    for (;;) {
      if (depth_ == 0) return finish(in);
      Frame& frame = frames_[depth_ - 1];
      in.skip_space();
      if (in.is(frame.is_object ? '}' : ']') && (!opened)) {
        ++in.at;
        --depth_;
        if (frame.slot != PayloadPaths::kNone) {
          Field& field = fields_[frame.slot];
          field.raw = {frame.begin, static_cast<std::size_t>(in.at - frame.begin)};
          field.value = Value::json(field.raw);
        }
        continue;
      }
      if (!opened) {
        if (!in.is(',')) {
          return fail(in.at == in.end   ? "it ends too early"
                      : frame.is_object ? "expected ',' or '}'"
                                        : "expected ',' or ']'",
                      in.at);
        }
        ++in.at;
      }
      slot = frame.slot;
      if (frame.is_object) {
        if (!member(in, slot)) return false;
      } else {
        ++frame.elements;
        slot = slot != PayloadPaths::kNone && paths_.has_elements(slot)
                   ? paths_.element(slot, frame.elements)
                   : PayloadPaths::kNone;
      }
      break;
    }
  }
}

bool JsonScanner::fail(const char* error, const char* at) {
  error_ = error;
  error_offset_ = static_cast<std::size_t>(at - text_);
  return false;
}

inline bool JsonScanner::finish(Cursor in) {
  in.skip_space();
  if (in.at != in.end) return fail("there is more after the value", in.at);
  if ((in.high & kHighBits) != 0 &&
      !simdjson::validate_utf8(text_, static_cast<std::size_t>(in.end - text_))) {
    return fail("it is not valid UTF-8", text_);
  }
  return true;
}

[[gnu::always_inline]] inline Field& JsonScanner::start_field(std::uint32_t slot,
                                                              const char* begin) {
  Field& field = fields_[slot];
  if (field.epoch == epoch_) [[unlikely]]
    forget(slot);  // the same name again: the last one counts
  field.epoch = epoch_;
  field.form = Field::Form::plain;
  field.raw = {begin, 0};
  return field;
}

void JsonScanner::forget(std::uint32_t slot) {
  fields_[slot].epoch = 0;
  for (const std::uint32_t child : paths_.children(slot)) forget(child);
}

[[gnu::always_inline]] inline bool JsonScanner::open(Cursor& in, std::uint32_t slot,
                                                     bool is_object) {
  if (depth_ == kMaxJsonDepth) return fail("it is nested deeper than 512 levels", in.at);
  frames_[depth_++] = {in.at, slot, 0, is_object};
  if (slot != PayloadPaths::kNone) start_field(slot, in.at);
  ++in.at;
  return true;
}

[[gnu::always_inline]] inline bool JsonScanner::scalar(Cursor& in, std::uint32_t slot) {
  switch (*in.at) {
    case '"': {
      const char* begin = in.at;
      std::string_view inside;
      bool escaped = false;
      if (!string(in, inside, escaped)) return false;
      if (slot == PayloadPaths::kNone) return true;
      Field& field = start_field(slot, begin);
      field.raw = {begin, static_cast<std::size_t>(in.at - begin)};
      field.value = Value::text(inside);
      if (escaped) field.form = Field::Form::escaped;
      return true;
    }
    case 't':
      return literal(in, "true", Value::boolean(true), slot);
    case 'f':
      return literal(in, "false", Value::boolean(false), slot);
    case 'n':
      return literal(in, "null", Value::null(), slot);
    default:
      return number(in, slot);
  }
}

[[gnu::always_inline]] inline bool JsonScanner::literal(Cursor& in, std::string_view word,
                                                        Value value, std::uint32_t slot) {
  const auto left = static_cast<std::size_t>(in.end - in.at);
  if (left < word.size() || std::string_view(in.at, word.size()) != word) {
    return fail("expected a value", in.at);
  }
  if (slot != PayloadPaths::kNone) {
    Field& field = start_field(slot, in.at);
    field.raw = {in.at, word.size()};
    field.value = value;
  }
  in.at += word.size();
  return true;
}

// Reads from the opening quote to past the closing one.
[[gnu::always_inline]] inline bool JsonScanner::string(Cursor& in, std::string_view& inside,
                                                       bool& escaped) {
  const char* const begin = ++in.at;
  for (;;) {
    const std::uint64_t word = load(in.at);
    in.high |= word;
    const std::uint64_t special = special_bytes(word);
    if (special == 0) {
      in.at += sizeof word;
      if (in.at < in.end) continue;
      in.at = in.end;
    } else {
      in.at += std::countr_zero(special) / 8;
    }
    if (in.at >= in.end) {
      in.at = begin - 1;
      return fail("a string has no end", in.at);
    }
    if (*in.at == '"') {
      inside = {begin, static_cast<std::size_t>(in.at - begin)};
      ++in.at;
      return true;
    }
    if (*in.at != '\\') return fail("a control character in a string is not escaped", in.at);
    escaped = true;
    const char* const after = escape(in.at, in.end);
    if (after == nullptr) return false;
    in.at = after;
  }
}

// The end of the escape at `at`, or null.
const char* JsonScanner::escape(const char* at, const char* end) {
  const auto left = static_cast<std::size_t>(end - at);
  const auto unit_at = [&](std::size_t offset) {  // of \uXXXX at that offset, or -1
    if (left < offset + 6 || at[offset] != '\\' || at[offset + 1] != 'u') return -1;
    int unit = 0;
    for (std::size_t i = offset + 2; i < offset + 6; ++i) {
      const int digit = hex_digit(at[i]);
      if (digit < 0) return -1;
      unit = unit * 16 + digit;
    }
    return unit;
  };
  if (left >= 2 && at[1] != 'u') {
    if (std::string_view("\"\\/bfnrt").find(at[1]) == std::string_view::npos) {
      fail("an unknown escape in a string", at);
      return nullptr;
    }
    return at + 2;
  }
  const int unit = unit_at(0);
  if (unit < 0) {
    fail("an incomplete escape in a string", at);
    return nullptr;
  }
  std::size_t length = 6;
  if (unit == 0) {
    unfit_ = JsonUnfit::nul_escape;
  } else if (unit >= 0xD800 && unit <= 0xDFFF) {
    const int low = unit_at(6);
    if (unit <= 0xDBFF && low >= 0xDC00 && low <= 0xDFFF) {
      length = 12;
    } else {
      unfit_ = JsonUnfit::lone_surrogate;
    }
  }
  return at + length;
}

// Takes the number at the cursor apart, and goes past it.
[[gnu::always_inline]] inline bool JsonScanner::digits(Cursor& in, Number& number) {
  const char* at = in.at;
  const char* const end = in.end;
  number.begin = at;
  number.negative = *at == '-';
  if (number.negative) ++at;
  const auto take_digits = [&] {
    const char* const first = at;
    for (; at < end && is_digit(*at); ++at)
      number.mantissa = number.mantissa * 10 + static_cast<unsigned>(*at - '0');
    return at - first;
  };
  const char* const first_digit = at;
  number.whole_digits = take_digits();
  if (number.whole_digits == 0)
    return fail(number.negative ? "expected a digit" : "expected a value", in.at);
  if (*first_digit == '0' && number.whole_digits > 1)
    return fail("a number begins with a needless 0", in.at);
  if (at < end && *at == '.') {
    number.whole = false;
    ++at;
    number.fraction = take_digits();
    if (number.fraction == 0) {
      in.at = at;
      return fail("expected a digit", in.at);
    }
  }
  in.at = at;
  return at == end || (*at != 'e' && *at != 'E') || exponent(in, number);
}

// Reads from the letter on.
[[gnu::always_inline]] inline bool JsonScanner::exponent(Cursor& in, Number& number) {
  number.whole = false;
  ++in.at;
  const bool minus = in.is('-');
  if (minus || in.is('+')) ++in.at;
  const char* const first = in.at;
  for (; in.at < in.end && is_digit(*in.at); ++in.at) {
    if (number.exponent < 1'000'000'000) number.exponent = number.exponent * 10 + (*in.at - '0');
  }
  if (in.at == first) return fail("expected a digit", in.at);
  if (minus) number.exponent = -number.exponent;
  return true;
}

[[gnu::always_inline]] inline bool JsonScanner::number(Cursor& in, std::uint32_t slot) {
  Number number;
  if (!digits(in, number)) return false;
  // The bounds of PostgreSQL's numeric: 131072 digits before the point, 16383 after it.
  if (number.whole_digits + number.exponent > 131'072 ||
      number.fraction - number.exponent > 16'383) {
    unfit_ = JsonUnfit::numeric_too_large;
  }
  if (slot == PayloadPaths::kNone) return true;
  Field& field = start_field(slot, number.begin);
  field.raw = {number.begin, static_cast<std::size_t>(in.at - number.begin)};
  set_number(field, number);
  return true;
}

[[gnu::always_inline]] inline void JsonScanner::set_number(Field& field, const Number& number) {
  const std::ptrdiff_t digits = number.whole_digits + number.fraction;
  if (number.whole) {
    if (digits <= 18) {
      const auto magnitude = static_cast<std::int64_t>(number.mantissa);
      field.value = Value::integer(number.negative ? -magnitude : magnitude);
      return;
    }
    std::int64_t integer = 0;
    if (std::from_chars(number.begin, number.begin + field.raw.size(), integer).ec == std::errc()) {
      field.value = Value::integer(integer);
      return;
    }
  }
  // Exact when the digits and the power of ten both fit a double (Clinger's fast path).
  const std::ptrdiff_t power = number.exponent - number.fraction;
  if (digits <= 19 && number.mantissa <= (std::uint64_t{1} << 53) && power >= -22 && power <= 22) {
    const auto mantissa = static_cast<double>(number.mantissa);
    const double magnitude =
        power < 0 ? mantissa / kPowersOfTen[-power] : mantissa * kPowersOfTen[power];
    field.value = Value::number(number.negative ? -magnitude : magnitude);
    return;
  }
  const double value = to_double(field.raw, number.whole_digits + number.exponent <= 308);
  field.value = Value::number(value);
  if (value == HUGE_VAL) field.form = Field::Form::number_too_big;
}

// Reads `"key" :` and turns `slot` of the object into the slot of the member.
[[gnu::always_inline]] inline bool JsonScanner::member(Cursor& in, std::uint32_t& slot) {
  in.skip_space();
  const std::size_t number = names_++;
  if (number < seen_) {
    const SeenName& seen = seen_names_[number];
    std::uint64_t difference = 0;
    for (std::size_t i = 0; i < SeenName::kWords; ++i)
      difference |= (load(in.at + 8 * i) & seen.mask[i]) ^ seen.bytes[i];
    if (difference == 0 && seen.object == slot && seen.size != 0 &&
        seen.size <= static_cast<std::size_t>(in.end - in.at)) {
      in.at += seen.size;
      slot = seen.member;
      return true;
    }
  }
  if (!in.is('"')) {
    return fail(in.at == in.end ? "it ends too early" : "expected a name in quotes", in.at);
  }
  const char* const begin = in.at;
  const std::uint32_t object = slot;
  std::string_view key;
  bool escaped = false;
  if (!string(in, key, escaped)) return false;
  if (slot != PayloadPaths::kNone) {
    slot = !paths_.has_members(slot) ? PayloadPaths::kNone
           : !escaped                ? paths_.member(slot, key)
                                     : escaped_member(slot, key);
  }
  in.skip_space();
  if (!in.is(':')) return fail(in.at == in.end ? "it ends too early" : "expected ':'", in.at);
  ++in.at;
  if (number < seen_names_.size())
    see_name(number, object, slot, {begin, static_cast<std::size_t>(in.at - begin)});
  return true;
}

void JsonScanner::see_name(std::size_t number, std::uint32_t object, std::uint32_t member,
                           std::string_view name) {
  SeenName& seen = seen_names_[number];
  seen = {};
  seen_ = std::max(seen_, number + 1);
  if (name.size() > sizeof seen.bytes) return;
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    seen.mask[i / 8] |= std::uint64_t{0xff} << (i % 8 * 8);
  }
  std::memcpy(seen.bytes.data(), name.data(), name.size());
  for (const std::uint64_t word : seen.bytes) all |= word;
  if ((all & kHighBits) != 0) return;  // finish() is to hear of it each time
  seen.size = static_cast<std::uint32_t>(name.size());
  seen.object = object;
  seen.member = member;
}

std::uint32_t JsonScanner::escaped_member(std::uint32_t slot, std::string_view inside) {
  unescaped_key_.resize(inside.size() + sizeof(std::uint64_t));
  JsonUnfit unfit = JsonUnfit::nothing;
  const std::size_t size = unescape(inside, unescaped_key_.data(), unfit);
  return paths_.member(slot, {unescaped_key_.data(), size});
}

}  // namespace hub::rules
