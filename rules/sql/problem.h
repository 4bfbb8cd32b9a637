#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hub::rules::sql {

// A part of a statement's text, in bytes.
struct Span {
  std::uint32_t offset = 0;
  std::uint32_t length = 0;

  [[nodiscard]] std::uint32_t end() const { return offset + length; }
};

// A mistake in a statement. rules/rule_set.h turns it into a Diagnostic of the file.
struct Problem {
  Span span;
  std::string code;  // "syntax.expected_expression"
  std::string text;
};
using Problems = std::vector<Problem>;

}  // namespace hub::rules::sql
