#pragma once

#include <array>
#include <span>
#include <string_view>

#include "base/value.h"
#include "rules/sql/runtime.h"
#include "rules/sql/type.h"

namespace hub::rules::sql {

inline constexpr std::size_t kMaxArguments = 16;

// A function of the dialect. docs/rules.md has the table for users; a test keeps the two equal.
struct Function {
  enum class Nulls : std::uint8_t { give_null, are_passed };  // what a NULL argument does
  using Implementation = Value (*)(Runtime& runtime, std::span<const Value> args);

  std::string_view name;
  std::string_view usage;  // "substr(text, start [, length])"
  std::size_t min_arguments;
  std::size_t max_arguments;
  std::array<Type, 3> parameters;  // the last one also stands for all that follow
  Type result;
  Nulls nulls;
  Implementation implementation;

  [[nodiscard]] Type parameter(std::size_t index) const {
    return parameters[index < parameters.size() ? index : parameters.size() - 1];
  }
};

// All of them, sorted by name. coalesce and is_null are among them for their arguments' sake, and
// run inside the interpreter.
[[nodiscard]] std::span<const Function> functions();
[[nodiscard]] const Function* find_function(std::string_view name);  // in any case of letters

}  // namespace hub::rules::sql
