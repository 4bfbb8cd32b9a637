#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/value.h"
#include "rules/payload/payload_paths.h"
#include "rules/sql/functions.h"
#include "rules/sql/problem.h"
#include "rules/sql/type.h"

// A statement with its names resolved and its types checked: what the interpreter runs.
namespace hub::rules::sql {

enum class Op : std::uint8_t {
  constant,
  client_id,
  username,
  topic,
  qos,
  retain,
  timestamp,  // milliseconds
  message_id,
  payload_text,
  payload_json,
  field,   // index: the slot in PayloadPaths
  output,  // index: of the query's outputs
  negate,
  logical_not,
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
  is_null,
  is_not_null,
  in,           // args: operand, choices…
  between,      // args: operand, low, high
  like,         // args: operand, pattern
  case_when,    // args: condition, value, …, otherwise
  case_equals,  // args: subject, choice, value, …, otherwise
  coalesce,
  call,
};

struct BoundExpr {
  Op op = Op::constant;
  Type type = Type::null;
  std::uint32_t index = 0;
  std::uint32_t height = 1;  // of the tree below, through outputs: at most 2 * kMaxHeight
  Value constant;
  const Function* function = nullptr;
  std::vector<const BoundExpr*> args;
  std::string_view source;  // as written, for messages
  Path path;                // of a field
};

// An expression as written, for a message to a person: on one line, and not too long.
[[nodiscard]] std::string shown(const BoundExpr& expr);

struct Output {
  std::string name;
  Span span;
  const BoundExpr* expr = nullptr;
};

// Owns its expressions and the texts that they point into; not to be moved or copied.
struct BoundQuery {
  std::deque<std::string> texts;
  std::deque<BoundExpr> exprs;
  std::vector<Output> outputs;
  std::vector<std::string> filters;
  const BoundExpr* where = nullptr;

  BoundQuery() = default;
  BoundQuery(const BoundQuery&) = delete;
  BoundQuery& operator=(const BoundQuery&) = delete;
};

}  // namespace hub::rules::sql
