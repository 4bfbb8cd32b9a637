#include "bench/load/text_template.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace hub::bench {
namespace {

constexpr std::array<std::pair<std::string_view, Field>, 7> kFieldNames{{
    {"i", Field::device},
    {"n", Field::sequence},
    {"ts", Field::time_ms},
    {"temp", Field::temperature},
    {"hum", Field::humidity},
    {"volt", Field::voltage},
    {"stamp", Field::stamp},
}};

Field field_named(std::string_view name) {
  for (const auto& [known, field] : kFieldNames) {
    if (known == name) return field;
  }
  return Field::literal;
}

// The length of a name in braces at the front of `text`, which begins with '{'; 0 if there is none.
std::size_t name_length(std::string_view text) {
  std::size_t at = 1;
  while (at < text.size() && text[at] >= 'a' && text[at] <= 'z') ++at;
  return at < text.size() && text[at] == '}' ? at - 1 : 0;
}

constexpr std::array<signed char, 256> kHexValue = [] {
  std::array<signed char, 256> table{};
  table.fill(-1);
  for (int digit = 0; digit < 10; ++digit) table['0' + digit] = static_cast<signed char>(digit);
  for (int digit = 10; digit < 16; ++digit) {
    table['a' + digit - 10] = static_cast<signed char>(digit);
  }
  return table;
}();

void write_hex(char* at, std::uint64_t value, int digits) noexcept {
  for (int digit = digits - 1; digit >= 0; --digit) {
    at[digit] = "0123456789abcdef"[value & 0xF];
    value >>= 4;
  }
}

// Negative digits keep the sign bit set in the result of or-ing: one test at the end suffices.
bool read_hex(std::string_view digits, std::uint64_t& value) noexcept {
  value = 0;
  int seen = 0;
  for (const char digit : digits) {
    const int nibble = kHexValue[static_cast<unsigned char>(digit)];
    seen |= nibble;
    value = value << 4 | static_cast<std::uint64_t>(nibble & 0xF);
  }
  return seen >= 0;
}

}  // namespace

TextTemplate::TextTemplate(std::string_view text) {
  std::string literal;
  const auto end_literal = [&] {
    if (!literal.empty()) segments_.push_back({Field::literal, std::exchange(literal, {})});
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t length = text[at] == '{' ? name_length(text.substr(at)) : 0;
    if (length == 0) {
      literal += text[at];
      continue;
    }
    const std::string_view name = text.substr(at + 1, length);
    const Field field = field_named(name);
    if (field == Field::literal) {
      throw std::invalid_argument(fmt::format(
          "unknown field {{{}}} at character {} of the template \"{}\"; the fields are {{i}} {{n}} "
          "{{ts}} {{temp}} {{hum}} {{volt}} {{stamp}}",
          name, at + 1, text));
    }
    end_literal();
    segments_.push_back({field, {}});
    at += length + 1;
  }
  end_literal();
}

bool TextTemplate::has(Field field) const noexcept {
  return std::any_of(segments_.begin(), segments_.end(),
                     [field](const Segment& segment) { return segment.field == field; });
}

std::size_t width_of(Field field) noexcept {
  switch (field) {
    case Field::time_ms:
      return kTimeDigits;
    case Field::temperature:
    case Field::humidity:
      return 5;
    case Field::voltage:
      return 4;
    case Field::stamp:
      return Stamp::kBytes;
    case Field::literal:
    case Field::device:
    case Field::sequence:
      break;
  }
  return 0;
}

std::optional<std::size_t> TextTemplate::stamp_offset() const {
  if (!has(Field::stamp)) return std::nullopt;
  std::size_t offset = 0;
  for (const Segment& segment : segments_) {
    if (segment.field == Field::stamp) break;
    if (segment.field == Field::device || segment.field == Field::sequence) {
      throw std::invalid_argument("{stamp} must stand before {i} and {n} in the payload");
    }
    offset += segment.field == Field::literal ? segment.text.size() : width_of(segment.field);
  }
  return offset;
}

std::string TextTemplate::for_client(std::uint32_t client) const {
  std::string text;
  for (const Segment& segment : segments_) {
    if (segment.field == Field::literal) {
      text += segment.text;
    } else if (segment.field == Field::device) {
      text += std::to_string(client);
    } else {
      throw std::invalid_argument("a topic can have the field {i} only");
    }
  }
  return text;
}

void Stamp::write(char* at) const noexcept {
  write_hex(at, publisher, 8);
  write_hex(at + 8, sequence, 12);
  write_hex(at + 20, static_cast<std::uint64_t>(sent_ns), 16);
}

bool Stamp::read(std::string_view bytes, Stamp& stamp) noexcept {
  if (bytes.size() != kBytes) return false;
  std::uint64_t publisher = 0;
  std::uint64_t sent = 0;
  if (!read_hex(bytes.substr(0, 8), publisher) || !read_hex(bytes.substr(8, 12), stamp.sequence) ||
      !read_hex(bytes.substr(20), sent)) {
    return false;
  }
  stamp.publisher = static_cast<std::uint32_t>(publisher);
  stamp.sent_ns = static_cast<std::int64_t>(sent);
  return true;
}

}  // namespace hub::bench
