#include "storage/row_encoder.h"

#include <fmt/format.h>

#include <cassert>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

#include "base/topic.h"
#include "storage/instant.h"
#include "storage/json_text.h"
#include "storage/numeric.h"

namespace hub::storage {
namespace {

// Why a value cannot be stored, as the end of a sentence; nullptr when it was.
using Problem = const char*;
constexpr Problem kStored = nullptr;
constexpr Problem kOutOfRange = "out of range";
constexpr Problem kWrongKind = "not a value of that type";

// Numbers as text: the shortest decimal that reads back as the same double.
struct Digits {
  char text[32];
  std::size_t length;

  explicit Digits(std::int64_t v) : length(finish(std::to_chars(text, text + sizeof text, v))) {}
  explicit Digits(double v) : length(finish(std::to_chars(text, text + sizeof text, v))) {}
  [[nodiscard]] std::string_view view() const { return {text, length}; }

 private:
  [[nodiscard]] std::size_t finish(std::to_chars_result r) const {
    return static_cast<std::size_t>(r.ptr - text);
  }
};

template <class Integer>
void put_field(ByteBuffer& out, Integer value) {
  char* to = out.reserve(4 + sizeof value);
  ByteBuffer::store(to, static_cast<std::int32_t>(sizeof value));
  ByteBuffer::store(to + 4, value);
  out.grow(4 + sizeof value);
}

void put_bytes(ByteBuffer& out, std::string_view bytes) {
  char* to = out.reserve(4 + bytes.size());
  ByteBuffer::store(to, static_cast<std::int32_t>(bytes.size()));
  std::memcpy(to + 4, bytes.data(), bytes.size());
  out.grow(4 + bytes.size());
}

// A field whose length is known only when it has been written.
class OpenField {
 public:
  explicit OpenField(ByteBuffer& out) : out_(out), at_(out.size()) { out.put(std::int32_t{0}); }
  void close() { out_.overwrite(at_, static_cast<std::int32_t>(out_.size() - at_ - 4)); }

 private:
  ByteBuffer& out_;
  std::size_t at_;
};

Problem put_boolean(const Value& value, ByteBuffer& out) {
  if (value.kind() != Value::Kind::boolean) return kWrongKind;
  put_field(out, static_cast<std::uint8_t>(value.as_boolean()));
  return kStored;
}

template <class Integer>
Problem put_integer(const Value& value, ByteBuffer& out) {
  std::int64_t integer = 0;
  if (value.kind() == Value::Kind::integer) {
    integer = value.as_integer();
  } else if (value.kind() == Value::Kind::number) {
    const double number = value.as_number();
    if (std::isnan(number)) return kWrongKind;
    if (!(number >= -0x1p63 && number < 0x1p63)) return kOutOfRange;
    if (std::trunc(number) != number) return "it has a fraction";
    integer = static_cast<std::int64_t>(number);
  } else {
    return kWrongKind;
  }
  if (integer < std::numeric_limits<Integer>::min() ||
      integer > std::numeric_limits<Integer>::max()) {
    return kOutOfRange;
  }
  put_field(out, static_cast<Integer>(integer));
  return kStored;
}

template <class Float, class Bits>
Problem put_float(const Value& value, ByteBuffer& out) {
  double number = 0;
  if (value.kind() == Value::Kind::number) {
    number = value.as_number();
  } else if (value.kind() == Value::Kind::integer) {
    number = static_cast<double>(value.as_integer());
  } else {
    return kWrongKind;
  }
  const auto narrowed = static_cast<Float>(number);
  if (std::isinf(narrowed) && !std::isinf(number)) return kOutOfRange;
  put_field(out, std::bit_cast<Bits>(narrowed));
  return kStored;
}

Problem put_numeric(const Value& value, const Column& column, ByteBuffer& out) {
  const auto put = [&](std::string_view decimal) -> Problem {
    OpenField field(out);
    switch (append_numeric(decimal, column.numeric_precision, column.numeric_scale, out)) {
      case NumericResult::appended:
        field.close();
        return kStored;
      case NumericResult::not_a_number:
        return "not a decimal number";
      case NumericResult::out_of_range:
        return kOutOfRange;
    }
    return kWrongKind;
  };
  switch (value.kind()) {
    case Value::Kind::integer:
      return put(Digits(value.as_integer()).view());
    case Value::Kind::number:
      if (!std::isfinite(value.as_number())) return "not a finite number";
      return put(Digits(value.as_number()).view());
    case Value::Kind::text:
    case Value::Kind::json:
      return put(value.as_text());
    default:
      return kWrongKind;
  }
}

// True when more than `limit` characters follow, not counting spaces at the end, which PostgreSQL
// cuts.
bool too_long(std::string_view text, std::uint32_t limit) {
  if (text.size() <= limit) return false;
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) continue;
    if (++characters > limit) return text.find_first_not_of(' ', i) != std::string_view::npos;
  }
  return false;
}

Problem put_text(const Value& value, const Column& column, ByteBuffer& out) {
  const auto put = [&](std::string_view text) -> Problem {
    if (column.max_characters > 0 && too_long(text, column.max_characters)) return "too long";
    put_bytes(out, text);
    return kStored;
  };
  switch (value.kind()) {
    case Value::Kind::text: {
      const std::string_view text = value.as_text();
      if (!is_valid_utf8_string(text)) {
        return text.find('\0') != std::string_view::npos ? "it has a NUL character"
                                                         : "not valid UTF-8";
      }
      return put(text);
    }
    case Value::Kind::json:
      return put(value.as_text());
    case Value::Kind::boolean:
      return put(value.as_boolean() ? "true" : "false");
    case Value::Kind::integer:
      return put(Digits(value.as_integer()).view());
    case Value::Kind::number:
      return put(Digits(value.as_number()).view());
    case Value::Kind::null:
      break;
  }
  return kWrongKind;
}

Problem put_json(const Value& value, const Column& column, ByteBuffer& out) {
  OpenField field(out);
  if (column.type == ColumnType::jsonb) out.put(std::uint8_t{1});  // the version of the format
  switch (value.kind()) {
    case Value::Kind::json: {
      const std::string_view json = value.as_text();
      if (column.type == ColumnType::jsonb) {
        const Problem problem = jsonb_problem(json);
        if (problem != kStored) return problem;
      }
      out.append(json);
      break;
    }
    case Value::Kind::text:
      if (!is_valid_utf8_string(value.as_text()))
        return "not valid UTF-8, or it has a NUL character";
      append_json_string(value.as_text(), out);
      break;
    case Value::Kind::boolean:
      out.append(value.as_boolean() ? "true" : "false");
      break;
    case Value::Kind::integer:
      out.append(Digits(value.as_integer()).view());
      break;
    case Value::Kind::number:
      if (!std::isfinite(value.as_number())) return "not a finite number";
      out.append(Digits(value.as_number()).view());
      break;
    case Value::Kind::null:
      return kWrongKind;
  }
  field.close();
  return kStored;
}

// The moment that a value names, as microseconds since 2000.
struct Moment {
  std::int64_t micros = 0;
  Problem problem = kStored;
};

Moment moment_of(const Value& value, ColumnType type) {
  std::optional<std::int64_t> micros;
  switch (value.kind()) {
    case Value::Kind::integer:
      micros = micros_from_unix_ms(value.as_integer());
      break;
    case Value::Kind::number:
      micros = micros_from_unix_ms(value.as_number());
      break;
    case Value::Kind::text: {
      const auto parsed = parse_instant(value.as_text());
      if (!parsed) return {0, "not a time as RFC 3339 writes it"};
      if (!parsed->has_time && type != ColumnType::date) return {0, "it has no time of day"};
      if (!parsed->has_offset && type == ColumnType::timestamptz)
        return {0, "it has no UTC offset"};
      micros = parsed->micros;
      break;
    }
    default:
      return {0, kWrongKind};
  }
  if (!micros) return {0, kOutOfRange};
  return {*micros, kStored};
}

Problem put_moment(const Value& value, ColumnType type, ByteBuffer& out) {
  const Moment moment = moment_of(value, type);
  if (moment.problem != kStored) return moment.problem;
  if (type == ColumnType::date) {
    put_field(out, static_cast<std::int32_t>(day_of(moment.micros)));
  } else {
    put_field(out, moment.micros);
  }
  return kStored;
}

Problem put_uuid(const Value& value, ByteBuffer& out) {
  constexpr Problem kNotUuid = "not a UUID";
  if (value.kind() != Value::Kind::text) return kWrongKind;
  const std::string_view text = value.as_text();
  if (text.size() != 32 && text.size() != 36) return kNotUuid;
  const bool hyphens = text.size() == 36;
  char bytes[16];
  std::size_t at = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    if (hyphens && (i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-') return kNotUuid;
    unsigned char byte = 0;
    const char* const end = text.data() + at + 2;
    const auto [stop, error] = std::from_chars(text.data() + at, end, byte, 16);
    if (error != std::errc() || stop != end) return kNotUuid;
    bytes[i] = static_cast<char>(byte);
    at += 2;
  }
  put_bytes(out, {bytes, sizeof bytes});
  return kStored;
}

Problem put_bytea(const Value& value, ByteBuffer& out) {
  if (value.kind() != Value::Kind::text && value.kind() != Value::Kind::json) return kWrongKind;
  put_bytes(out, value.as_text());
  return kStored;
}

Problem put_value(const Value& value, const Column& column, ByteBuffer& out) {
  if (value.is_null()) {
    if (column.not_null) return "the column is NOT NULL";
    out.put(std::int32_t{-1});
    return kStored;
  }
  switch (column.type) {
    case ColumnType::boolean:
      return put_boolean(value, out);
    case ColumnType::int2:
      return put_integer<std::int16_t>(value, out);
    case ColumnType::int4:
      return put_integer<std::int32_t>(value, out);
    case ColumnType::int8:
      return put_integer<std::int64_t>(value, out);
    case ColumnType::float4:
      return put_float<float, std::uint32_t>(value, out);
    case ColumnType::float8:
      return put_float<double, std::uint64_t>(value, out);
    case ColumnType::numeric:
      return put_numeric(value, column, out);
    case ColumnType::text:
      return put_text(value, column, out);
    case ColumnType::jsonb:
    case ColumnType::json:
      return put_json(value, column, out);
    case ColumnType::timestamptz:
    case ColumnType::timestamp:
    case ColumnType::date:
      return put_moment(value, column.type, out);
    case ColumnType::uuid:
      return put_uuid(value, out);
    case ColumnType::bytea:
      return put_bytea(value, out);
    case ColumnType::other:
      return "no rule can write this type";
  }
  return kWrongKind;
}

// The value for a person: short, and always valid UTF-8.
std::string describe(const Value& value) {
  constexpr std::size_t kShown = 40;
  switch (value.kind()) {
    case Value::Kind::null:
      return "NULL";
    case Value::Kind::boolean:
      return value.as_boolean() ? "true" : "false";
    case Value::Kind::integer:
      return fmt::to_string(value.as_integer());
    case Value::Kind::number:
      return std::string(Digits(value.as_number()).view());
    case Value::Kind::text:
    case Value::Kind::json:
      break;
  }
  std::string_view text = value.as_text();
  const bool cut = text.size() > kShown;
  if (cut) {
    std::size_t end = kShown;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text = text.substr(0, end);
  }
  const char* const quote = value.kind() == Value::Kind::text ? "'" : "";
  if (!is_valid_utf8_string(text)) return fmt::format("a text of {} bytes", value.as_text().size());
  return fmt::format("{}{}{}{}", quote, text, cut ? "…" : "", quote);
}

}  // namespace

RowEncoder::RowEncoder(std::vector<Column> columns) : columns_(std::move(columns)) {}

std::optional<std::string> RowEncoder::append(std::span<const Value> values,
                                              ByteBuffer& out) const {
  assert(values.size() == columns_.size());
  const std::size_t start = out.size();
  out.put(static_cast<std::int16_t>(columns_.size()));
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const Problem problem = put_value(values[i], columns_[i], out);
    if (problem == kStored) [[likely]]
      continue;
    out.cut(start);
    return fmt::format("column \"{}\" ({}) cannot take {}: {}", columns_[i].name,
                       columns_[i].type_name, describe(values[i]), problem);
  }
  return std::nullopt;
}

}  // namespace hub::storage
