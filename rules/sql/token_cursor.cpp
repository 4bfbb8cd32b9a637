#include "rules/sql/token_cursor.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hub::rules::sql {

std::string shown(const Token& token) {
  switch (token.kind) {
    case Token::Kind::end:
      return "the end";
    case Token::Kind::text:
      return "a text";
    case Token::Kind::quoted:
      return fmt::format("\"{}\"", token.text);
    default:
      return fmt::format("'{}'", token.text);
  }
}

TokenCursor::TokenCursor(std::string_view text, Problems& problems) : problems_(problems) {
  const std::size_t before = problems_.size();
  if (text.size() > kMaxStatementBytes) {
    report(
        Span{}, "syntax.too_long",
        fmt::format("the statement has {} bytes; {} are allowed", text.size(), kMaxStatementBytes));
    text = {};
  }
  tokens_ = tokenize(text, problems_);
  gave_up_ = problems_.size() > before;
}

const Token& TokenCursor::peek(std::size_t ahead) const {
  return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
}

const Token& TokenCursor::take() { return tokens_[at_ < tokens_.size() - 1 ? at_++ : at_]; }

bool TokenCursor::expect(std::string_view symbol, std::string_view why) {
  if (take_if(symbol)) return true;
  report(peek(), "syntax.expected_symbol",
         fmt::format("expected '{}' {}, and found {}", symbol, why, shown(peek())));
  return false;
}

bool TokenCursor::expect_keyword(std::string_view word, std::string_view why) {
  if (take_if_keyword(word)) return true;
  std::string upper(word);
  for (char& c : upper) c = static_cast<char>(c - 'a' + 'A');
  report(peek(), "syntax.expected_" + std::string(word),
         fmt::format("expected {} {}, and found {}", upper, why, shown(peek())));
  return false;
}

std::nullptr_t TokenCursor::report(Span at, std::string code, std::string text) {
  problems_.push_back({at, std::move(code), std::move(text)});
  return nullptr;
}

}  // namespace hub::rules::sql
