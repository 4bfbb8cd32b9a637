#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "rules/sql/lexer.h"

namespace hub::rules::sql {

// A token for a message to a person: "'FROM'", "the end".
[[nodiscard]] std::string shown(const Token& token);

// A place among the tokens of a statement, and the reporting of what is wrong there. The last
// token, Token::Kind::end, is never passed.
class TokenCursor {
 public:
  // A statement that is too long, or has what is no token, is given up: it has no tokens then, as
  // more messages would only mislead.
  TokenCursor(std::string_view text, Problems& problems);

  [[nodiscard]] bool gave_up() const { return gave_up_; }
  [[nodiscard]] const Token& peek(std::size_t ahead = 0) const;
  const Token& take();
  bool take_if(std::string_view symbol) { return peek().is(symbol) && (take(), true); }
  bool take_if_keyword(std::string_view word) { return peek().is_keyword(word) && (take(), true); }
  [[nodiscard]] Span last_span() const { return tokens_[at_ - 1].span; }

  // Each takes what it names, or reports that it is not there: "expected ')' why, and found …".
  bool expect(std::string_view symbol, std::string_view why);
  bool expect_keyword(std::string_view word, std::string_view why);

  std::nullptr_t report(Span at, std::string code, std::string text);
  std::nullptr_t report(const Token& at, std::string code, std::string text) {
    return report(at.span, std::move(code), std::move(text));
  }

 private:
  Problems& problems_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  bool gave_up_ = false;
};

}  // namespace hub::rules::sql
