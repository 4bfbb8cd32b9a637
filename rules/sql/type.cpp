#include "rules/sql/type.h"

#include <fmt/format.h>

namespace hub::rules::sql {
namespace {

// The start of a text, cut between characters.
std::string_view beginning(std::string_view text) {
  constexpr std::size_t kShown = 40;
  if (text.size() <= kShown) return text;
  std::size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace

std::string_view to_string(Type type) {
  switch (type) {
    case Type::null:
      return "NULL";
    case Type::any:
      return "any value";
    case Type::boolean:
      return "boolean";
    case Type::integer:
      return "integer";
    case Type::number:
      return "number";
    case Type::text:
      return "text";
    case Type::json:
      return "JSON";
  }
  return "";
}

bool may_be(Type have, Type want) {
  if (have == Type::any || have == Type::null || want == Type::any || have == want) return true;
  return is_numeric(have) && is_numeric(want);
}

bool comparable(Type a, Type b) {
  if (a == Type::json || b == Type::json) return false;
  return may_be(a, b) || may_be(b, a);
}

Type either(Type a, Type b) {
  if (a == b || b == Type::null) return a;
  if (a == Type::null) return b;
  return is_numeric(a) && is_numeric(b) ? Type::number : Type::any;
}

std::string describe(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null:
      return "NULL";
    case Value::Kind::boolean:
      return value.as_boolean() ? "true" : "false";
    case Value::Kind::integer:
      return fmt::format("the integer {}", value.as_integer());
    case Value::Kind::number:
      return fmt::format("the number {}", value.as_number());
    case Value::Kind::text: {
      const std::string_view shown = beginning(value.as_text());
      return fmt::format("the text '{}{}'", shown,
                         shown.size() < value.as_text().size() ? "…" : "");
    }
    case Value::Kind::json:
      return value.as_text().starts_with('[') ? "a JSON array" : "a JSON object";
  }
  return "";
}

}  // namespace hub::rules::sql
