#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "rules/payload/payload_paths.h"
#include "rules/sql/problem.h"

// A statement as written: names are text, nothing is resolved. The binder makes the other tree
// (rules/sql/bound.h) of it.
namespace hub::rules::sql {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

enum class UnaryOp : std::uint8_t { negate, logical_not };

enum class BinaryOp : std::uint8_t {
  logical_or,
  logical_and,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  concat,
  add,
  subtract,
  multiply,
  divide,
  integer_divide,
  modulo,
};

// NULL, TRUE, 12, 1.5 or 'text'.
struct Literal {
  std::variant<std::monostate, bool, std::int64_t, double, std::string> value;
};

// clientid, payload.a[1]."b c"
struct Name {
  std::string first;
  Span first_span;
  Path steps;
};

struct Call {
  std::string function;
  Span function_span;
  std::vector<ExprPtr> arguments;
};

struct Unary {
  UnaryOp op;
  ExprPtr operand;
};

struct Binary {
  BinaryOp op;
  Span op_span;
  ExprPtr left;
  ExprPtr right;
};

struct IsNull {
  ExprPtr operand;
  bool negated;
};

struct In {
  ExprPtr operand;
  std::vector<ExprPtr> choices;
  bool negated;
};

struct Between {
  ExprPtr operand;
  ExprPtr low;
  ExprPtr high;
  bool negated;
};

struct Like {
  ExprPtr operand;
  ExprPtr pattern;
  bool negated;
};

// CASE [subject] WHEN … THEN … [ELSE …] END
struct Case {
  ExprPtr subject;  // null in the form that has conditions
  std::vector<std::pair<ExprPtr, ExprPtr>> branches;
  ExprPtr otherwise;  // null without ELSE
};

struct Expr {
  using Node = std::variant<Literal, Name, Call, Unary, Binary, IsNull, In, Between, Like, Case>;

  Span span;
  std::uint32_t height = 1;  // of the tree below; at most kMaxHeight
  Node node;
};

// Nothing that walks a tree can run out of stack.
inline constexpr std::uint32_t kMaxHeight = 200;

struct SelectItem {
  ExprPtr expr;  // null for *
  Span span;
  std::optional<std::string> alias;
  Span alias_span;
};

struct TopicFilter {
  std::string text;
  Span span;
};

struct Query {
  std::vector<SelectItem> items;
  std::vector<TopicFilter> filters;
  ExprPtr where;  // may be null
};

}  // namespace hub::rules::sql
