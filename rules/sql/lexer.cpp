#include "rules/sql/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace hub::rules::sql {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Letters of any script: every byte past ASCII may be part of a name.
bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_name_part(char c) { return is_name_start(c) || is_digit(c); }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool equals_ignoring_case(std::string_view word, std::string_view lower_case) {
  return std::equal(word.begin(), word.end(), lower_case.begin(), lower_case.end(),
                    [](char a, char b) { return lower(a) == b; });
}

class Lexer {
 public:
  Lexer(std::string_view in, Problems& problems) : in_(in), problems_(problems) {}

  std::vector<Token> run() {
    while (skip_space(), at_ < in_.size()) next();
    add(Token::Kind::end, at_, {});
    return std::move(tokens_);
  }

 private:
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0';
  }

  void skip_space() {
    for (; at_ < in_.size(); ++at_) {
      if (in_.substr(at_, 2) == "--") {
        at_ = std::min(in_.find('\n', at_), in_.size() - 1);
      } else if (std::string_view(" \t\r\n").find(in_[at_]) == std::string_view::npos) {
        return;
      }
    }
  }

  void next() {
    const std::size_t begin = at_;
    const char c = peek();
    if (is_name_start(c)) {
      while (is_name_part(peek())) ++at_;
      add(Token::Kind::word, begin, std::string(in_.substr(begin, at_ - begin)));
    } else if (is_digit(c)) {
      number();
    } else if (c == '\'' || c == '"') {
      quoted(c);
    } else {
      symbol();
    }
  }

  void number() {
    const std::size_t begin = at_;
    Token::Kind kind = Token::Kind::integer;
    while (is_digit(peek())) ++at_;
    if (peek() == '.' && is_digit(peek(1))) {
      kind = Token::Kind::number;
      ++at_;
      while (is_digit(peek())) ++at_;
    }
    if (peek() == 'e' || peek() == 'E') {
      const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
      if (is_digit(peek(1 + sign))) {
        kind = Token::Kind::number;
        at_ += 1 + sign;
        while (is_digit(peek())) ++at_;
      }
    }
    add(kind, begin, std::string(in_.substr(begin, at_ - begin)));
  }

  void quoted(char quote) {
    const std::size_t begin = at_++;
    std::string text;
    for (;; ++at_) {
      if (at_ >= in_.size()) {
        report(begin, quote == '"' ? "syntax.unterminated_name" : "syntax.unterminated_text",
               fmt::format("this {} has no end; close it with {}", quote == '"' ? "name" : "text",
                           quote));
        return;
      }
      if (in_[at_] == quote) {
        if (peek(1) != quote) break;
        ++at_;  // a doubled quote stands for one
      }
      text += in_[at_];
    }
    ++at_;
    add(quote == '"' ? Token::Kind::quoted : Token::Kind::text, begin, std::move(text));
  }

  void symbol() {
    static constexpr std::array<std::string_view, 20> kSymbols = {
        "<>", "!=", "<=", ">=", "||", "(", ")", "[", "]", ",",
        ".",  ";",  "*",  "/",  "+",  "-", "%", "=", "<", ">"};
    const std::size_t begin = at_;
    for (const std::string_view symbol : kSymbols) {
      if (in_.substr(at_, symbol.size()) == symbol) {
        at_ += symbol.size();
        add(Token::Kind::symbol, begin, std::string(symbol));
        return;
      }
    }
    ++at_;
    report(begin, "syntax.unexpected_character",
           fmt::format("the character {} means nothing here",
                       in_[begin] >= 0x20 ? fmt::format("'{}'", in_[begin])
                                          : fmt::format("0x{:02x}", in_[begin])));
  }

  void add(Token::Kind kind, std::size_t begin, std::string text) {
    tokens_.push_back({kind,
                       {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(at_ - begin)},
                       std::move(text)});
  }

  void report(std::size_t begin, std::string code, std::string text) {
    problems_.push_back(
        {{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(at_ - begin)},
         std::move(code),
         std::move(text)});
  }

  std::string_view in_;
  Problems& problems_;
  std::size_t at_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

bool Token::is_keyword(std::string_view lower_case_word) const {
  return kind == Kind::word && equals_ignoring_case(text, lower_case_word);
}

std::vector<Token> tokenize(std::string_view statement, Problems& problems) {
  return Lexer(statement, problems).run();
}

bool is_reserved(std::string_view word) {
  static constexpr std::array<std::string_view, 19> kReserved = {
      "and",  "as",  "between", "case", "else",   "end",  "false", "from", "in",   "is",
      "like", "not", "null",    "or",   "select", "then", "true",  "when", "where"};
  return std::any_of(kReserved.begin(), kReserved.end(), [&](std::string_view reserved) {
    return equals_ignoring_case(word, reserved);
  });
}

}  // namespace hub::rules::sql
