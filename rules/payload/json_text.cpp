#include "rules/payload/json_text.h"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace hub::rules {
namespace {

std::uint32_t hex4(const char* digits) {
  std::uint32_t unit = 0;
  std::from_chars(digits, digits + 4, unit, 16);
  return unit;
}

char* put_utf8(char* out, std::uint32_t code) {
  if (code < 0x80) {
    *out++ = static_cast<char>(code);
  } else if (code < 0x800) {
    *out++ = static_cast<char>(0xC0 | (code >> 6));
    *out++ = static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    *out++ = static_cast<char>(0xE0 | (code >> 12));
    *out++ = static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    *out++ = static_cast<char>(0x80 | (code & 0x3F));
  } else {
    *out++ = static_cast<char>(0xF0 | (code >> 18));
    *out++ = static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    *out++ = static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    *out++ = static_cast<char>(0x80 | (code & 0x3F));
  }
  return out;
}

char simple_escape(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;
  }
}

// The code point of the \u escape at inside[at], and past it; what has none gives U+FFFD.
std::uint32_t read_code_point(std::string_view inside, std::size_t& at, JsonUnfit& unfit) {
  constexpr std::uint32_t kReplacement = 0xFFFD;
  const std::uint32_t unit = hex4(inside.data() + at + 2);
  at += 6;
  if (unit == 0) {
    unfit = JsonUnfit::nul_escape;
    return kReplacement;
  }
  if (unit < 0xD800 || unit > 0xDFFF) return unit;
  if (unit <= 0xDBFF && inside.size() >= at + 6 && inside[at] == '\\' && inside[at + 1] == 'u') {
    const std::uint32_t low = hex4(inside.data() + at + 2);
    if (low >= 0xDC00 && low <= 0xDFFF) {
      at += 6;
      return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }
  }
  unfit = JsonUnfit::lone_surrogate;
  return kReplacement;
}

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

std::size_t skip_space(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

// The end of the string whose opening quote is at `begin`.
std::size_t string_end(std::string_view text, std::size_t begin) {
  std::size_t at = begin + 1;
  while (text[at] != '"') at += text[at] == '\\' ? 2 : 1;
  return at + 1;
}

JsonValue number_of(std::string_view raw) {
  std::int64_t integer = 0;
  const char* const end = raw.data() + raw.size();
  if (const auto done = std::from_chars(raw.data(), end, integer);
      done.ec == std::errc() && done.ptr == end) {
    return {.value = Value::integer(integer)};
  }
  double number = 0;
  if (std::from_chars(raw.data(), end, number).ec == std::errc()) {
    return {.value = Value::number(number)};
  }
  TextArena unused_arena;  // beyond the range of a double, on one side or the other
  PayloadPaths whole;
  JsonScanner scanner(whole);
  if (!scanner.scan(raw)) return {};
  return value_of(*scanner.field(PayloadPaths::kRoot), unused_arena);
}

}  // namespace

std::string_view to_string(JsonValue::Problem problem) {
  switch (problem) {
    case JsonValue::Problem::none:
      return "is fit";
    case JsonValue::Problem::nul_escape:
      return "has \\u0000, which no text in the database can hold";
    case JsonValue::Problem::lone_surrogate:
      return "has half of a surrogate pair (\\ud800 to \\udfff alone), which is no character";
    case JsonValue::Problem::number_too_big:
      return "is a number beyond the range of a 64-bit floating-point number";
  }
  return "";
}

std::string_view to_string(JsonUnfit unfit) {
  switch (unfit) {
    case JsonUnfit::nothing:
      return "is fit";
    case JsonUnfit::nul_escape:
      return "has \\u0000, which jsonb cannot store";
    case JsonUnfit::lone_surrogate:
      return "has half of a surrogate pair (\\ud800 to \\udfff alone), which jsonb cannot store";
    case JsonUnfit::numeric_too_large:
      return "has a number of more digits than jsonb can store";
  }
  return "";
}

std::size_t unescape(std::string_view inside, char* out, JsonUnfit& unfit) {
  char* const begin = out;
  std::size_t at = 0;
  while (at < inside.size()) {
    const std::size_t backslash = std::min(inside.find('\\', at), inside.size());
    out = std::copy(inside.begin() + static_cast<std::ptrdiff_t>(at),
                    inside.begin() + static_cast<std::ptrdiff_t>(backslash), out);
    at = backslash;
    if (at == inside.size()) break;
    if (inside[at + 1] == 'u') {
      out = put_utf8(out, read_code_point(inside, at, unfit));
    } else {
      *out++ = simple_escape(inside[at + 1]);
      at += 2;
    }
  }
  return static_cast<std::size_t>(out - begin);
}

Unescaped unescape(std::string_view inside, TextArena& arena) {
  TextArena::Builder builder(arena);
  char* const room = builder.room(inside.size());
  Unescaped result;
  if (room == nullptr) return result;
  builder.wrote(unescape(inside, room, result.unfit));
  result.text = builder.finish();
  return result;
}

JsonValue value_of(const Field& field, TextArena& arena) {
  switch (field.form) {
    case Field::Form::plain:
      return {.value = field.value};
    case Field::Form::number_too_big:
      return {JsonValue::Problem::number_too_big, {}};
    case Field::Form::escaped:
      break;
  }
  const Unescaped text = unescape(field.value.as_text(), arena);
  if (text.unfit == JsonUnfit::nul_escape) return {JsonValue::Problem::nul_escape, {}};
  if (text.unfit != JsonUnfit::nothing) return {JsonValue::Problem::lone_surrogate, {}};
  return {.value = Value::text(text.text)};
}

JsonValue value_of_json(std::string_view json, TextArena& arena) {
  switch (json.front()) {
    case '{':
    case '[':
      return {.value = Value::json(json)};
    case 't':
      return {.value = Value::boolean(true)};
    case 'f':
      return {.value = Value::boolean(false)};
    case 'n':
      return {};
    case '"': {
      const std::string_view inside = json.substr(1, json.size() - 2);
      Field field;
      field.value = Value::text(inside);
      if (inside.find('\\') != std::string_view::npos) field.form = Field::Form::escaped;
      return value_of(field, arena);
    }
    default:
      return number_of(json);
  }
}

std::size_t json_value_end(std::string_view text, std::size_t begin) {
  std::size_t depth = 0;
  std::size_t at = begin;
  do {
    switch (text[at]) {
      case '"':
        at = string_end(text, at);
        break;
      case '{':
      case '[':
        ++depth;
        ++at;
        break;
      case '}':
      case ']':
        --depth;
        ++at;
        break;
      default:
        ++at;
        if (depth == 0) {
          while (at < text.size() && !is_space(text[at]) &&
                 std::string_view(",]}").find(text[at]) == std::string_view::npos) {
            ++at;
          }
        }
    }
  } while (depth > 0);
  return at;
}

std::optional<std::string_view> json_member(std::string_view json, std::string_view name,
                                            TextArena& arena) {
  if (json.front() != '{') return std::nullopt;
  std::optional<std::string_view> found;
  std::size_t at = skip_space(json, 1);
  while (json[at] != '}') {
    if (json[at] == ',') at = skip_space(json, at + 1);
    const std::size_t key_end = string_end(json, at);
    std::string_view key = json.substr(at + 1, key_end - at - 2);
    if (key.find('\\') != std::string_view::npos) key = unescape(key, arena).text;
    at = skip_space(json, skip_space(json, key_end) + 1);
    const std::size_t value_end = json_value_end(json, at);
    if (key == name) found = json.substr(at, value_end - at);
    at = skip_space(json, value_end);
  }
  return found;
}

std::optional<std::string_view> json_element(std::string_view json, std::int64_t number) {
  if (json.front() != '[' || number < 1) return std::nullopt;
  std::size_t at = skip_space(json, 1);
  for (std::int64_t i = 1; json[at] != ']'; ++i) {
    if (json[at] == ',') at = skip_space(json, at + 1);
    const std::size_t value_end = json_value_end(json, at);
    if (i == number) return json.substr(at, value_end - at);
    at = skip_space(json, value_end);
  }
  return std::nullopt;
}

JsonUnfit unfit_for_jsonb(std::string_view json) {
  const PayloadPaths nothing;
  JsonScanner scanner(nothing);
  return scanner.scan(json) ? scanner.unfit() : JsonUnfit::nothing;
}

void append_json(TextArena::Builder& out, const Value& value) {
  if (value.kind() != Value::Kind::text) {
    append_plain(out, value);
    return;
  }
  constexpr char kHex[] = "0123456789abcdef";
  const std::string_view text = value.as_text();
  out.append('"');
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text.substr(plain, i - plain));
    plain = i + 1;
    out.append('\\');
    switch (c) {
      case '\b':
        out.append('b');
        break;
      case '\f':
        out.append('f');
        break;
      case '\n':
        out.append('n');
        break;
      case '\r':
        out.append('r');
        break;
      case '\t':
        out.append('t');
        break;
      case '"':
      case '\\':
        out.append(static_cast<char>(c));
        break;
      default:
        out.append("u00");
        out.append(kHex[c >> 4]);
        out.append(kHex[c & 15]);
    }
  }
  out.append(text.substr(plain));
  out.append('"');
}

void append_plain(TextArena::Builder& out, const Value& value) {
  char digits[64];
  switch (value.kind()) {
    case Value::Kind::null:
      out.append("null");
      break;
    case Value::Kind::boolean:
      out.append(value.as_boolean() ? "true" : "false");
      break;
    case Value::Kind::integer: {
      const char* const end = fmt::format_to(digits, FMT_COMPILE("{}"), value.as_integer());
      out.append({digits, static_cast<std::size_t>(end - digits)});
      break;
    }
    case Value::Kind::number: {
      // The shortest digits that read back as the same double; 40.0 as 40.
      const auto end = std::to_chars(digits, digits + sizeof digits, value.as_number()).ptr;
      out.append({digits, static_cast<std::size_t>(end - digits)});
      break;
    }
    case Value::Kind::text:
    case Value::Kind::json:
      out.append(value.as_text());
      break;
  }
}

}  // namespace hub::rules
