#pragma once

#include <string>
#include <string_view>

#include "base/value.h"

namespace hub::rules::sql {

// What is known of a value before any message has come. NULL belongs to each.
enum class Type : std::uint8_t {
  null,  // always NULL
  any,   // known only at run time: what stands in a payload
  boolean,
  integer,  // 64-bit; also wherever a number is taken
  number,   // an integer or a double
  text,
  json,  // an object or an array
};

[[nodiscard]] std::string_view to_string(Type type);

[[nodiscard]] constexpr bool is_numeric(Type type) {
  return type == Type::integer || type == Type::number;
}
// Whether a value of static type `have` may turn out to be one of type `want`.
[[nodiscard]] bool may_be(Type have, Type want);
// Whether values of the two types may be compared.
[[nodiscard]] bool comparable(Type a, Type b);
// The type of an expression that gives either.
[[nodiscard]] Type either(Type a, Type b);

// A value for a message to a person: "the text 'hot'", "the integer 5", "NULL".
[[nodiscard]] std::string describe(const Value& value);

}  // namespace hub::rules::sql
