#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace hub::rules {

// A place in a file; both count from 1, columns in characters (not bytes).
struct SourcePosition {
  std::uint32_t line = 1;
  std::uint32_t column = 1;

  friend bool operator==(const SourcePosition&, const SourcePosition&) = default;
};

// One mistake in a rule file, and what to do about it.
struct Diagnostic {
  std::string file;
  SourcePosition position;
  std::string code;  // stable, for tests and tools: "syntax.expected_expression"
  std::string text;  // a sentence for a person
};

// "rules.toml:7:12: there is no column humidty in table climate; did you mean humidity?
// [dump.unknown_column]"
[[nodiscard]] std::string to_string(const Diagnostic& diagnostic);

// The order of the places in one file.
[[nodiscard]] bool stands_before(const Diagnostic& a, const Diagnostic& b);

// "; did you mean climate?" when one of `known` is a likely slip of `name`, else "".
[[nodiscard]] std::string did_you_mean(std::string_view name,
                                       std::span<const std::string_view> known);

}  // namespace hub::rules
