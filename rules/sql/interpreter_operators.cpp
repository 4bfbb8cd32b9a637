#include <fmt/format.h>

#include <cmath>

#include "rules/payload/json_text.h"
#include "rules/sql/interpreter.h"
#include "rules/sql/operators.h"

// The operators of the interpreter: what AND, +, <, IN, CASE and the like do with their operands.
namespace hub::rules::sql {
namespace {

std::string_view symbol_of(Op op) {
  switch (op) {
    case Op::add:
      return "+";
    case Op::subtract:
      return "-";
    case Op::multiply:
      return "*";
    case Op::divide:
      return "/";
    case Op::integer_divide:
      return "div";
    case Op::modulo:
      return "mod";
    default:
      return "";
  }
}

}  // namespace

Value Interpreter::takes(const BoundExpr& expr, std::string_view what, const Value& got) {
  return runtime_.fail(fmt::format("{}: {} cannot take {}", shown(expr), what, describe(got)));
}

Value Interpreter::boolean(const BoundExpr& operand, const BoundExpr& whole, std::string_view op) {
  const Value value = eval(operand);
  if (value.is_null() || value.kind() == Value::Kind::boolean) return value;
  return takes(whole, op, value);
}

// AND and OR of three values; the right side is looked at only if it matters.
Value Interpreter::logical(const BoundExpr& expr) {
  const bool decides = expr.op == Op::logical_or;  // the value that decides alone
  const std::string_view name = decides ? "OR" : "AND";
  const Value left = boolean(*expr.args[0], expr, name);
  if (failed()) return left;
  if (!left.is_null() && left.as_boolean() == decides) return left;
  const Value right = boolean(*expr.args[1], expr, name);
  if (left.is_null() && !right.is_null() && right.as_boolean() != decides) return left;
  return right;
}

Value Interpreter::logical_not(const BoundExpr& expr) {
  const Value operand = boolean(*expr.args[0], expr, "NOT");
  return operand.is_null() ? operand : Value::boolean(!operand.as_boolean());
}

Value Interpreter::negate(const BoundExpr& expr) {
  const Value value = eval(*expr.args[0]);
  switch (value.kind()) {
    case Value::Kind::null:
      return value;
    case Value::Kind::number:
      return Value::number(-value.as_number());
    case Value::Kind::integer:
      return integer_arithmetic(expr, 0, value.as_integer());
    default:
      return takes(expr, "'-'", value);
  }
}

Value Interpreter::arithmetic(const BoundExpr& expr) {
  const Value a = eval(*expr.args[0]);
  const Value b = eval(*expr.args[1]);
  if (a.is_null() || b.is_null()) return Value::null();
  if (!is_numeric(a) || !is_numeric(b)) {
    return takes(expr, fmt::format("'{}'", symbol_of(expr.op)), is_numeric(a) ? b : a);
  }
  if (expr.op == Op::integer_divide || expr.op == Op::modulo) {
    const auto whole_a = exact_integer(a);
    const auto whole_b = exact_integer(b);
    if (!whole_a || !whole_b) return takes(expr, symbol_of(expr.op), whole_a ? b : a);
    return integer_arithmetic(expr, *whole_a, *whole_b);
  }
  if (expr.op != Op::divide && a.kind() == Value::Kind::integer &&
      b.kind() == Value::Kind::integer) {
    return integer_arithmetic(expr, a.as_integer(), b.as_integer());
  }
  const double x = to_double(a);
  const double y = to_double(b);
  double result = 0;
  switch (expr.op) {
    case Op::add:
      result = x + y;
      break;
    case Op::subtract:
      result = x - y;
      break;
    case Op::multiply:
      result = x * y;
      break;
    default:
      if (y == 0) return runtime_.fail(fmt::format("{}: division by zero", shown(expr)));
      result = x / y;
  }
  if (std::isfinite(result)) return Value::number(result);
  return runtime_.fail(fmt::format("{}: the result is beyond the range of a number", shown(expr)));
}

Value Interpreter::integer_arithmetic(const BoundExpr& expr, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflow = false;
  switch (expr.op) {
    case Op::add:
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case Op::negate:
    case Op::subtract:
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case Op::multiply:
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    default:
      if (b == 0) return runtime_.fail(fmt::format("{}: division by zero", shown(expr)));
      if (b == -1) {
        overflow = expr.op == Op::integer_divide && __builtin_sub_overflow(0, a, &result);
      } else {
        result = expr.op == Op::integer_divide ? a / b : a % b;
      }
  }
  if (!overflow) return Value::integer(result);
  return runtime_.fail(fmt::format("{}: the result is beyond 64 bits", shown(expr)));
}

Value Interpreter::not_comparable(const BoundExpr& expr, const Value& a, const Value& b) {
  return runtime_.fail(
      fmt::format("{}: {} and {} cannot be compared", shown(expr), describe(a), describe(b)));
}

// Values of different kinds are not equal; JSON objects and arrays are not compared.
Value Interpreter::equal(const BoundExpr& expr, const Value& a, const Value& b) {
  if (a.is_null() || b.is_null()) return Value::null();
  if (const auto order = compare(a, b)) return Value::boolean(*order == 0);
  if (a.kind() == Value::Kind::json && b.kind() == Value::Kind::json) {
    return not_comparable(expr, a, b);
  }
  return Value::boolean(false);
}

Value Interpreter::comparison(const BoundExpr& expr) {
  const Value a = eval(*expr.args[0]);
  const Value b = eval(*expr.args[1]);
  if (expr.op == Op::equal || expr.op == Op::not_equal) {
    const Value same = equal(expr, a, b);
    if (same.is_null() || expr.op == Op::equal) return same;
    return Value::boolean(!same.as_boolean());
  }
  if (a.is_null() || b.is_null()) return Value::null();
  const auto order = compare(a, b);
  if (!order) return not_comparable(expr, a, b);
  switch (expr.op) {
    case Op::less:
      return Value::boolean(*order < 0);
    case Op::less_equal:
      return Value::boolean(*order <= 0);
    case Op::greater:
      return Value::boolean(*order > 0);
    default:
      return Value::boolean(*order >= 0);
  }
}

Value Interpreter::in(const BoundExpr& expr) {
  const Value value = eval(*expr.args[0]);
  if (value.is_null()) return value;
  bool saw_null = false;
  for (std::size_t i = 1; i < expr.args.size(); ++i) {
    const Value same = equal(expr, value, eval(*expr.args[i]));
    if (failed()) return Value::null();
    if (same.is_null()) {
      saw_null = true;
    } else if (same.as_boolean()) {
      return same;
    }
  }
  return saw_null ? Value::null() : Value::boolean(false);
}

Value Interpreter::between(const BoundExpr& expr) {
  const Value value = eval(*expr.args[0]);
  const Value low = eval(*expr.args[1]);
  const Value high = eval(*expr.args[2]);
  if (value.is_null()) return value;
  bool saw_null = false;
  for (const bool lower_bound : {true, false}) {
    const Value& bound = lower_bound ? low : high;
    if (bound.is_null()) {
      saw_null = true;
      continue;
    }
    const auto order = compare(value, bound);
    if (!order) return not_comparable(expr, value, bound);
    if (lower_bound ? *order < 0 : *order > 0) return Value::boolean(false);
  }
  return saw_null ? Value::null() : Value::boolean(true);
}

Value Interpreter::like(const BoundExpr& expr) {
  const Value text = eval(*expr.args[0]);
  const Value pattern = eval(*expr.args[1]);
  for (const Value& value : {text, pattern}) {
    if (!value.is_null() && value.kind() != Value::Kind::text) return takes(expr, "LIKE", value);
  }
  if (text.is_null() || pattern.is_null()) return Value::null();
  return Value::boolean(sql::like(text.as_text(), pattern.as_text()));
}

Value Interpreter::case_when(const BoundExpr& expr) {
  for (std::size_t i = 0; i + 1 < expr.args.size(); i += 2) {
    const Value condition = boolean(*expr.args[i], expr, "WHEN");
    if (failed()) return Value::null();
    if (!condition.is_null() && condition.as_boolean()) return eval(*expr.args[i + 1]);
  }
  return eval(*expr.args.back());
}

Value Interpreter::case_equals(const BoundExpr& expr) {
  const Value subject = eval(*expr.args[0]);
  for (std::size_t i = 1; i + 1 < expr.args.size(); i += 2) {
    const Value same = equal(expr, subject, eval(*expr.args[i]));
    if (failed()) return Value::null();
    if (!same.is_null() && same.as_boolean()) return eval(*expr.args[i + 1]);
  }
  return eval(*expr.args.back());
}

Value Interpreter::coalesce(const BoundExpr& expr) {
  Value value;
  for (const BoundExpr* arg : expr.args) {
    value = eval(*arg);
    if (!value.is_null() || failed()) break;
  }
  return value;
}

Value Interpreter::concat(const BoundExpr& expr) {
  const Value a = eval(*expr.args[0]);
  const Value b = eval(*expr.args[1]);
  if (a.is_null() || b.is_null()) return Value::null();
  TextArena::Builder out(runtime_.arena());
  append_plain(out, a);
  append_plain(out, b);
  return Value::text(out.finish());
}

}  // namespace hub::rules::sql
