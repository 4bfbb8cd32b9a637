#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "rules/payload/json_text.h"
#include "rules/sql/function_library.h"
#include "rules/sql/operators.h"
#include "rules/sql/type.h"

namespace hub::rules::sql::library {
namespace {

Value cannot(Runtime& runtime, std::string_view function, const Value& value) {
  return runtime.fail(fmt::format("{}() cannot take {}", function, describe(value)));
}

template <class Number>
bool read_whole(std::string_view text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

}  // namespace

Value to_bool(Runtime& runtime, Args args) {
  const Value& value = args[0];
  if (value.kind() == Value::Kind::boolean) return value;
  if (is_numeric(value) && (to_double(value) == 0 || to_double(value) == 1)) {
    return Value::boolean(to_double(value) == 1);
  }
  if (value.kind() == Value::Kind::text) {
    if (value.as_text() == "true") return Value::boolean(true);
    if (value.as_text() == "false") return Value::boolean(false);
  }
  return cannot(runtime, "bool", value);
}

Value to_int(Runtime& runtime, Args args) {
  const Value& value = args[0];
  switch (value.kind()) {
    case Value::Kind::integer:
      return value;
    case Value::Kind::boolean:
      return Value::integer(value.as_boolean() ? 1 : 0);
    case Value::Kind::number:
      if (const auto integer = exact_integer(Value::number(std::trunc(value.as_number())))) {
        return Value::integer(*integer);
      }
      break;
    case Value::Kind::text: {
      std::int64_t integer = 0;
      if (read_whole(value.as_text(), integer)) return Value::integer(integer);
      double number = 0;
      if (read_whole(value.as_text(), number) && std::isfinite(number)) {
        if (const auto whole = exact_integer(Value::number(std::trunc(number)))) {
          return Value::integer(*whole);
        }
      }
      break;
    }
    default:
      break;
  }
  return cannot(runtime, "int", value);
}

Value to_float(Runtime& runtime, Args args) {
  const Value& value = args[0];
  if (is_numeric(value)) return Value::number(to_double(value));
  double number = 0;
  if (value.kind() == Value::Kind::text && read_whole(value.as_text(), number) &&
      std::isfinite(number)) {
    return Value::number(number);
  }
  return cannot(runtime, "float", value);
}

Value to_str(Runtime& runtime, Args args) {
  const Value& value = args[0];
  if (value.kind() == Value::Kind::text) return value;
  if (value.kind() == Value::Kind::json) return Value::text(value.as_text());
  TextArena::Builder out(runtime.arena());
  append_plain(out, value);
  return Value::text(out.finish());
}

Value is_array(Runtime&, Args args) {
  return Value::boolean(args[0].kind() == Value::Kind::json && args[0].as_text().starts_with('['));
}
Value is_bool(Runtime&, Args args) {
  return Value::boolean(args[0].kind() == Value::Kind::boolean);
}
Value is_int(Runtime&, Args args) { return Value::boolean(args[0].kind() == Value::Kind::integer); }
Value is_map(Runtime&, Args args) {
  return Value::boolean(args[0].kind() == Value::Kind::json && args[0].as_text().starts_with('{'));
}
Value is_num(Runtime&, Args args) { return Value::boolean(is_numeric(args[0])); }
Value is_str(Runtime&, Args args) { return Value::boolean(args[0].kind() == Value::Kind::text); }

}  // namespace hub::rules::sql::library
