#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/value.h"

// What operators and functions do alike with two values, NULL aside.
namespace hub::rules::sql {

[[nodiscard]] constexpr bool is_numeric(const Value& value) {
  return value.kind() == Value::Kind::integer || value.kind() == Value::Kind::number;
}
[[nodiscard]] constexpr double to_double(const Value& value) {
  return value.kind() == Value::Kind::integer ? static_cast<double>(value.as_integer())
                                              : value.as_number();
}
// The integer that a number is, if it is one within 64 bits.
[[nodiscard]] std::optional<std::int64_t> exact_integer(const Value& value);

// Integers and doubles are compared as numbers, texts by their bytes, false before true.
// Empty when the kinds have no order among them.
[[nodiscard]] std::optional<std::partial_ordering> compare(const Value& a, const Value& b);

// SQL's LIKE: % for any text, _ for one character, \ before one that stands for itself.
[[nodiscard]] bool like(std::string_view text, std::string_view pattern);

}  // namespace hub::rules::sql
