#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rules/sql/problem.h"

namespace hub::rules::sql {

inline constexpr std::size_t kMaxStatementBytes = 64 * 1024;

struct Token {
  enum class Kind : std::uint8_t {
    word,    // a name or a keyword, as written
    quoted,  // "a name": never a keyword
    text,    // 'text'
    integer,
    number,  // with a point or an exponent
    symbol,  // one of ( ) [ ] , . ; * / + - % = <> != < <= > >= ||
    end,
  };
  Kind kind = Kind::end;
  Span span;
  std::string text;  // of quoted and text: what is between the quotes; else as written

  [[nodiscard]] bool is(std::string_view symbol) const {
    return kind == Kind::symbol && text == symbol;
  }
  [[nodiscard]] bool is_keyword(std::string_view lower_case_word) const;
};

// Cuts a statement into tokens; the last one is Kind::end. What is no token is reported and left
// out. "--" begins a comment that ends with the line.
[[nodiscard]] std::vector<Token> tokenize(std::string_view statement, Problems& problems);

// Words that are names only in double quotes.
[[nodiscard]] bool is_reserved(std::string_view word);

}  // namespace hub::rules::sql
