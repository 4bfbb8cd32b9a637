#include <fmt/format.h>

#include <algorithm>

#include "rules/payload/json_text.h"
#include "rules/sql/function_library.h"
#include "rules/sql/runtime.h"

namespace hub::rules::sql::library {
namespace {

Value value_or_fail(Runtime& runtime, const JsonValue& value) {
  if (value.problem == JsonValue::Problem::none) return value.value;
  return runtime.fail(RuleFailure::value_unfit,
                      fmt::format("the value {}", to_string(value.problem)));
}

}  // namespace

Value json_decode(Runtime& runtime, Args args) {
  std::string_view text = runtime.arena().copy(args[0].as_text());  // for the bytes past its end
  const PayloadPaths whole;
  JsonScanner scanner(whole);
  if (!scanner.scan(text)) {
    return runtime.fail(fmt::format("json_decode() of a text that is not JSON: {} (at byte {})",
                                    scanner.error(), scanner.error_offset()));
  }
  return value_or_fail(runtime, value_of(*scanner.field(PayloadPaths::kRoot), runtime.arena()));
}

Value json_encode(Runtime& runtime, Args args) {
  TextArena::Builder out(runtime.arena());
  append_json(out, args[0]);
  return Value::text(out.finish());
}

Value map_get(Runtime& runtime, Args args) {
  const Value otherwise = args.size() == 3 ? args[2] : Value::null();
  if (args[0].is_null() || args[1].is_null()) return otherwise;
  const auto member = json_member(args[1].as_text(), args[0].as_text(), runtime.arena());
  if (!member) return otherwise;
  return value_or_fail(runtime, value_of_json(*member, runtime.arena()));
}

Value nth(Runtime& runtime, Args args) {
  if (args[0].as_integer() < 1) return runtime.fail("the elements of an array count from 1");
  const auto element = json_element(args[1].as_text(), args[0].as_integer());
  if (!element) return Value::null();
  return value_or_fail(runtime, value_of_json(*element, runtime.arena()));
}

Value split(Runtime& runtime, Args args) {
  const std::string_view text = args[0].as_text();
  const std::string_view separator = args[1].as_text();
  if (separator.empty()) return runtime.fail("split() needs a separator");
  TextArena::Builder out(runtime.arena());
  out.append('[');
  for (std::size_t at = 0;;) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    append_json(out, Value::text(text.substr(at, end - at)));
    if (end == text.size()) break;
    out.append(',');
    at = end + separator.size();
  }
  out.append(']');
  return Value::json(out.finish());
}

}  // namespace hub::rules::sql::library
