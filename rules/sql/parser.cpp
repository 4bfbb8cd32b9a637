#include "rules/sql/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "rules/sql/token_cursor.h"

namespace hub::rules::sql {
namespace {

// How tightly an operator binds its operands; prefix operators bind their right side with it.
enum Power : int { kLowest = 0, kOr, kAnd, kNot, kComparison, kConcat, kSum, kProduct, kSign };

struct Infix {
  BinaryOp op;
  Power power;
};

std::optional<Infix> infix_of(const Token& token) {
  if (token.kind == Token::Kind::word) {
    if (token.is_keyword("or")) return Infix{BinaryOp::logical_or, kOr};
    if (token.is_keyword("and")) return Infix{BinaryOp::logical_and, kAnd};
    if (token.is_keyword("div")) return Infix{BinaryOp::integer_divide, kProduct};
    if (token.is_keyword("mod")) return Infix{BinaryOp::modulo, kProduct};
    return std::nullopt;
  }
  static const std::pair<std::string_view, Infix> kTable[] = {
      {"=", {BinaryOp::equal, kComparison}},
      {"!=", {BinaryOp::not_equal, kComparison}},
      {"<>", {BinaryOp::not_equal, kComparison}},
      {"<", {BinaryOp::less, kComparison}},
      {"<=", {BinaryOp::less_equal, kComparison}},
      {">", {BinaryOp::greater, kComparison}},
      {">=", {BinaryOp::greater_equal, kComparison}},
      {"||", {BinaryOp::concat, kConcat}},
      {"+", {BinaryOp::add, kSum}},
      {"-", {BinaryOp::subtract, kSum}},
      {"*", {BinaryOp::multiply, kProduct}},
      {"/", {BinaryOp::divide, kProduct}},
      {"%", {BinaryOp::modulo, kProduct}},
  };
  for (const auto& [symbol, infix] : kTable) {
    if (token.is(symbol)) return infix;
  }
  return std::nullopt;
}

Span join(Span first, Span last) { return {first.offset, last.end() - first.offset}; }

// Each parse_… returns null (or false) once it has reported a problem; its callers return at once
// up to the next item or clause, where parsing goes on.
class Parser : private TokenCursor {
 public:
  Parser(std::string_view text, Problems& problems) : TokenCursor(text, problems) {}

  Query query();
  ExprPtr lone_expression();

 private:
  void items(Query& query);
  bool item(Query& query);
  bool alias(SelectItem& item);
  void filters(Query& query);
  void skip_to_clause(bool stop_at_comma);

  ExprPtr expression(Power minimum);
  ExprPtr prefix();
  ExprPtr infix(ExprPtr left, Power minimum, bool& done);
  ExprPtr negatable(ExprPtr left, bool negated);
  ExprPtr is_null(ExprPtr left);
  ExprPtr literal_number();
  ExprPtr name();
  ExprPtr call();
  ExprPtr case_when();
  bool steps(Name& name);
  bool list(std::vector<ExprPtr>& out);

  template <class Node>
  ExprPtr make(Span span, Node node, std::initializer_list<const Expr*> children) {
    std::uint32_t height = 0;
    for (const Expr* child : children) {
      if (child != nullptr) height = std::max(height, child->height);
    }
    return make_of_height(span, std::move(node), height + 1);
  }
  template <class Node>
  ExprPtr make_of_height(Span span, Node node, std::uint32_t height) {
    if (height > kMaxHeight) return too_deep(span);
    return std::make_unique<Expr>(Expr{span, height, std::move(node)});
  }
  std::nullptr_t too_deep(Span span) {
    return report(span, "syntax.too_deep",
                  fmt::format("the expression is nested deeper than {} levels; split it over "
                              "several outputs",
                              kMaxHeight));
  }
  static std::uint32_t height_of(const std::vector<ExprPtr>& children) {
    std::uint32_t height = 0;
    for (const ExprPtr& child : children) height = std::max(height, child->height);
    return height;
  }

  std::uint32_t nesting_ = 0;
};

Query Parser::query() {
  Query query;
  if (gave_up()) return query;
  if (!expect_keyword("select", "at the beginning of the statement")) return query;
  items(query);
  if (!expect_keyword("from", "and a topic filter in quotes after the outputs")) return query;
  filters(query);
  if (take_if_keyword("where")) {
    query.where = expression(kLowest);
    if (query.where == nullptr) return query;
  }
  take_if(";");
  if (peek().kind != Token::Kind::end) {
    report(peek(), "syntax.unexpected_token",
           fmt::format("the statement should end before {}", shown(peek())));
  }
  return query;
}

ExprPtr Parser::lone_expression() {
  if (gave_up()) return nullptr;
  ExprPtr expr = expression(kLowest);
  if (expr != nullptr && peek().kind != Token::Kind::end) {
    return report(peek(), "syntax.unexpected_token",
                  fmt::format("the expression should end before {}", shown(peek())));
  }
  return expr;
}

void Parser::items(Query& query) {
  do {
    if (!item(query)) skip_to_clause(true);
  } while (take_if(","));
}

bool Parser::item(Query& query) {
  SelectItem item;
  const Span begin = peek().span;
  if (take_if("*")) {
    item.span = begin;
    query.items.push_back(std::move(item));
    return true;
  }
  item.expr = expression(kLowest);
  if (item.expr == nullptr) return false;
  item.span = item.expr->span;
  if (!alias(item)) return false;
  query.items.push_back(std::move(item));
  const Token& next = peek();
  if (next.is(",") || next.is_keyword("from") || next.kind == Token::Kind::end) return true;
  report(next, "syntax.expected_comma",
         fmt::format("expected ',' or FROM, and found {}", shown(next)));
  return false;
}

bool Parser::alias(SelectItem& item) {
  const bool has_as = take_if_keyword("as");
  const Token& token = peek();
  const bool is_name = token.kind == Token::Kind::quoted ||
                       (token.kind == Token::Kind::word && !is_reserved(token.text));
  if (!has_as) {
    if (!is_name) return true;
    report(token, "syntax.expected_as", fmt::format("write AS before the name {}", token.text));
    return false;
  }
  if (!is_name || token.text.empty()) {
    report(token, "syntax.expected_alias",
           token.kind == Token::Kind::word
               ? fmt::format("{0} is a reserved word; as a name, write it as \"{0}\"", token.text)
               : fmt::format("expected a name after AS, and found {}", shown(token)));
    return false;
  }
  item.alias = token.text;
  item.alias_span = token.span;
  take();
  return true;
}

void Parser::filters(Query& query) {
  do {
    const Token& token = peek();
    if (token.kind != Token::Kind::quoted && token.kind != Token::Kind::text) {
      report(token, "syntax.expected_filter",
             fmt::format("expected a topic filter in quotes, as \"devices/+/telemetry\", and "
                         "found {}",
                         shown(token)));
      skip_to_clause(true);
      continue;
    }
    query.filters.push_back({token.text, token.span});
    take();
  } while (take_if(","));
}

// To the next token from which parsing can go on: the end of an item, or of the clause.
void Parser::skip_to_clause(bool stop_at_comma) {
  int open = 0;
  for (; peek().kind != Token::Kind::end; take()) {
    if (peek().is("(") || peek().is("[")) ++open;
    if (peek().is(")") || peek().is("]")) --open;
    if (peek().is_keyword("from") || peek().is_keyword("where")) return;
    if (stop_at_comma && open <= 0 && peek().is(",")) return;
  }
}

ExprPtr Parser::expression(Power minimum) {
  if (nesting_ >= kMaxHeight) return too_deep(peek().span);
  ++nesting_;
  ExprPtr left = prefix();
  for (bool done = false; left != nullptr && !done;) left = infix(std::move(left), minimum, done);
  --nesting_;
  return left;
}

ExprPtr Parser::prefix() {
  const Token& token = peek();
  switch (token.kind) {
    case Token::Kind::integer:
    case Token::Kind::number:
      return literal_number();
    case Token::Kind::text:
      take();
      return make(token.span, Literal{token.text}, {});
    case Token::Kind::quoted:
      return name();
    case Token::Kind::symbol:
      if (token.is("(")) {
        take();
        ExprPtr inner = expression(kLowest);
        if (inner == nullptr || !expect(")", "after the expression")) return nullptr;
        inner->span = join(token.span, last_span());
        return inner;
      }
      if (token.is("-") || token.is("+")) {
        take();
        ExprPtr operand = expression(kSign);
        if (operand == nullptr || token.is("+")) return operand;
        const Span span = join(token.span, operand->span);
        const Expr* child = operand.get();
        return make(span, Unary{UnaryOp::negate, std::move(operand)}, {child});
      }
      break;
    case Token::Kind::word:
      if (token.is_keyword("not")) {
        take();
        ExprPtr operand = expression(kNot);
        if (operand == nullptr) return nullptr;
        const Span span = join(token.span, operand->span);
        const Expr* child = operand.get();
        return make(span, Unary{UnaryOp::logical_not, std::move(operand)}, {child});
      }
      if (token.is_keyword("case")) return case_when();
      if (token.is_keyword("null")) return take(), make(token.span, Literal{}, {});
      if (token.is_keyword("true")) return take(), make(token.span, Literal{true}, {});
      if (token.is_keyword("false")) return take(), make(token.span, Literal{false}, {});
      if (is_reserved(token.text)) break;
      return peek(1).is("(") ? call() : name();
    case Token::Kind::end:
      break;
  }
  return report(token, "syntax.expected_expression",
                fmt::format("expected an expression, and found {}", shown(token)));
}

// One operator after `left`, if it binds tighter than `minimum`; else done.
ExprPtr Parser::infix(ExprPtr left, Power minimum, bool& done) {
  const Token& token = peek();
  if (minimum < kComparison) {
    if (token.is_keyword("is")) return is_null(std::move(left));
    const bool negated = token.is_keyword("not");
    const Token& word = peek(negated ? 1 : 0);
    if (word.is_keyword("in") || word.is_keyword("between") || word.is_keyword("like")) {
      if (negated) take();
      return negatable(std::move(left), negated);
    }
  }
  const std::optional<Infix> infix = infix_of(token);
  if (!infix || infix->power <= minimum) {
    done = true;
    return left;
  }
  take();
  ExprPtr right = expression(infix->power);
  if (right == nullptr) return nullptr;
  const Span span = join(left->span, right->span);
  const Expr* const l = left.get();
  const Expr* const r = right.get();
  return make(span, Binary{infix->op, token.span, std::move(left), std::move(right)}, {l, r});
}

ExprPtr Parser::is_null(ExprPtr left) {
  take();
  const bool negated = take_if_keyword("not");
  if (!expect_keyword("null", negated ? "after IS NOT" : "or NOT NULL after IS")) return nullptr;
  const Span span = join(left->span, last_span());
  const Expr* child = left.get();
  return make(span, IsNull{std::move(left), negated}, {child});
}

ExprPtr Parser::negatable(ExprPtr left, bool negated) {
  const Span begin = left->span;
  const Expr* const l = left.get();
  if (take_if_keyword("in")) {
    std::vector<ExprPtr> choices;
    if (!expect("(", "after IN")) return nullptr;
    if (!list(choices)) return nullptr;
    if (choices.empty()) {
      return report(peek(), "syntax.expected_expression", "IN needs at least one value");
    }
    const std::uint32_t height = std::max(l->height, height_of(choices)) + 1;
    return make_of_height(join(begin, last_span()),
                          In{std::move(left), std::move(choices), negated}, height);
  }
  if (take_if_keyword("between")) {
    ExprPtr low = expression(kComparison);
    if (low == nullptr || !expect_keyword("and", "between the two bounds")) return nullptr;
    ExprPtr high = expression(kComparison);
    if (high == nullptr) return nullptr;
    const Expr* const a = low.get();
    const Expr* const b = high.get();
    return make(join(begin, b->span),
                Between{std::move(left), std::move(low), std::move(high), negated}, {l, a, b});
  }
  take();
  ExprPtr pattern = expression(kComparison);
  if (pattern == nullptr) return nullptr;
  const Expr* const p = pattern.get();
  return make(join(begin, p->span), Like{std::move(left), std::move(pattern), negated}, {l, p});
}

ExprPtr Parser::literal_number() {
  const Token& token = take();
  const char* const begin = token.text.data();
  const char* const end = begin + token.text.size();
  if (token.kind == Token::Kind::integer) {
    std::int64_t value = 0;
    if (std::from_chars(begin, end, value).ec != std::errc()) {
      return report(token, "syntax.number_out_of_range",
                    "an integer has at most 64 bits; write a point to make it a number");
    }
    return make(token.span, Literal{value}, {});
  }
  double value = 0;
  if (std::from_chars(begin, end, value).ec != std::errc()) {
    return report(token, "syntax.number_out_of_range",
                  "the number is beyond the range of a 64-bit floating-point number");
  }
  return make(token.span, Literal{value}, {});
}

ExprPtr Parser::name() {
  const Token& token = take();
  Name name{token.text, token.span, {}};
  if (!steps(name)) return nullptr;
  return make(join(token.span, last_span()), std::move(name), {});
}

bool Parser::steps(Name& name) {
  for (;;) {
    if (name.steps.size() > kMaxHeight) {
      too_deep(peek().span);
      return false;
    }
    if (take_if(".")) {
      const Token& key = peek();
      if (key.kind != Token::Kind::word && key.kind != Token::Kind::quoted) {
        report(key, "syntax.expected_field",
               fmt::format("expected a field's name after '.', and found {}; write it in double "
                           "quotes if it has other characters than letters, digits and _",
                           shown(key)));
        return false;
      }
      name.steps.push_back({key.text, 0});
      take();
    } else if (take_if("[")) {
      const Token& number = peek();
      std::uint32_t element = 0;
      if (number.kind == Token::Kind::integer) {
        std::from_chars(number.text.data(), number.text.data() + number.text.size(), element);
      }
      if (element == 0) {
        report(number, "syntax.bad_element",
               "expected the number of an element; the first one is [1]");
        return false;
      }
      take();
      name.steps.push_back({{}, element});
      if (!expect("]", "after the element's number")) return false;
    } else {
      return true;
    }
  }
}

ExprPtr Parser::call() {
  const Token& token = take();
  take();  // (
  Call call{token.text, token.span, {}};
  if (!list(call.arguments)) return nullptr;
  const std::uint32_t height = height_of(call.arguments) + 1;
  return make_of_height(join(token.span, last_span()), std::move(call), height);
}

// Expressions up to and with the closing parenthesis.
bool Parser::list(std::vector<ExprPtr>& out) {
  if (take_if(")")) return true;
  do {
    ExprPtr expr = expression(kLowest);
    if (expr == nullptr) return false;
    out.push_back(std::move(expr));
  } while (take_if(","));
  return expect(")", "or ','");
}

ExprPtr Parser::case_when() {
  const Token& begin = take();
  Case result;
  std::uint32_t height = 0;
  const auto part = [&]() -> ExprPtr {
    ExprPtr expr = expression(kLowest);
    if (expr != nullptr) height = std::max(height, expr->height);
    return expr;
  };
  if (!peek().is_keyword("when")) {
    result.subject = part();
    if (result.subject == nullptr) return nullptr;
  }
  do {
    if (!expect_keyword("when", "in CASE")) return nullptr;
    ExprPtr condition = part();
    if (condition == nullptr || !expect_keyword("then", "after the condition")) return nullptr;
    ExprPtr value = part();
    if (value == nullptr) return nullptr;
    result.branches.emplace_back(std::move(condition), std::move(value));
  } while (peek().is_keyword("when"));
  if (take_if_keyword("else")) {
    result.otherwise = part();
    if (result.otherwise == nullptr) return nullptr;
  }
  if (!expect_keyword("end", "after the branches of CASE")) return nullptr;
  return make_of_height(join(begin.span, last_span()), std::move(result), height + 1);
}

}  // namespace

Query parse_query(std::string_view statement, Problems& problems) {
  return Parser(statement, problems).query();
}

ExprPtr parse_expression(std::string_view text, Problems& problems) {
  return Parser(text, problems).lone_expression();
}

}  // namespace hub::rules::sql
