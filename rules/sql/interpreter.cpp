#include "rules/sql/interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "base/topic.h"
#include "rules/json_text.h"
#include "rules/sql/operators.h"

namespace hub::rules::sql {
namespace {

// An expression as written, for a message: on one line, and not too long.
std::string shown(const BoundExpr& expr) {
  constexpr std::size_t kShown = 80;
  std::string text;
  for (const char c : expr.source) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (space && (text.empty() || text.back() == ' ')) continue;
    text += space ? ' ' : c;
  }
  if (text.size() <= kShown) return text;
  std::size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

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

// Turns an argument into the kind that the parameter asks for; false when it is none.
bool fits(Type parameter, Value& value) {
  switch (parameter) {
    case Type::boolean:
      return value.kind() == Value::Kind::boolean;
    case Type::number:
      return is_numeric(value);
    case Type::integer: {
      if (!is_numeric(value)) return false;
      const auto integer = exact_integer(value);
      if (integer) value = Value::integer(*integer);
      return integer.has_value();
    }
    case Type::text:
      return value.kind() == Value::Kind::text;
    case Type::json:
      return value.kind() == Value::Kind::json;
    case Type::null:
    case Type::any:
      return true;
  }
  return true;
}

}  // namespace

void Interpreter::begin_message(const MessageView& message) {
  runtime_.begin_message(message);
  payload_ = Payload::unread;
  text_ = Payload::unread;
}

void Interpreter::begin_rule(const BoundQuery& query) {
  runtime_.begin_rule();
  query_ = &query;
  values_.resize(query.outputs.size());
  ready_.assign(query.outputs.size(), 0);
}

Value Interpreter::eval(const BoundExpr& expr) {
  const MessageView& message = runtime_.message();
  switch (expr.op) {
    case Op::constant:
      return expr.constant;
    case Op::client_id:
      return Value::text(message.client_id);
    case Op::username:
      return message.username.empty() ? Value::null() : Value::text(message.username);
    case Op::topic:
      return Value::text(message.topic);
    case Op::qos:
      return Value::integer(static_cast<std::int64_t>(message.qos));
    case Op::retain:
      return Value::boolean(message.retain);
    case Op::timestamp:
      return Value::integer(
          std::chrono::floor<std::chrono::milliseconds>(message.received_at.time_since_epoch())
              .count());
    case Op::message_id:
      return message_id();
    case Op::payload_text:
      return payload_text();
    case Op::payload_json:
      return payload_json();
    case Op::field:
      return field(expr);
    case Op::output:
      return output(expr.index);
    case Op::negate:
      return negate(expr);
    case Op::logical_not: {
      const Value operand = boolean(*expr.args[0], expr, "NOT");
      return operand.is_null() ? operand : Value::boolean(!operand.as_boolean());
    }
    case Op::logical_or:
    case Op::logical_and:
      return logical(expr);
    case Op::equal:
    case Op::not_equal:
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
      return comparison(expr);
    case Op::concat:
      return concat(expr);
    case Op::add:
    case Op::subtract:
    case Op::multiply:
    case Op::divide:
    case Op::integer_divide:
    case Op::modulo:
      return arithmetic(expr);
    case Op::is_null:
      return Value::boolean(eval(*expr.args[0]).is_null());
    case Op::is_not_null:
      return Value::boolean(!eval(*expr.args[0]).is_null());
    case Op::in:
      return in(expr);
    case Op::between:
      return between(expr);
    case Op::like:
      return like(expr);
    case Op::case_when:
      return case_when(expr);
    case Op::case_equals:
      return case_equals(expr);
    case Op::coalesce:
      return coalesce(expr);
    case Op::call:
      return call(expr);
  }
  return Value::null();
}

bool Interpreter::holds(const BoundExpr& condition) {
  const Value value = eval(condition);
  if (value.is_null()) return false;
  if (value.kind() == Value::Kind::boolean) return value.as_boolean();
  takes(condition, "a condition", value);
  return false;
}

std::span<const Value> Interpreter::outputs() {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (ready_[i] != 0) continue;
    const BoundExpr& expr = *query_->outputs[i].expr;
    values_[i] = expr.op == Op::payload_text ? Value::text(runtime_.message().payload) : eval(expr);
    ready_[i] = 1;
  }
  return values_;
}

Value Interpreter::json_output(std::size_t index, JsonUse use) {
  const BoundExpr& expr = *query_->outputs[index].expr;
  Value value = values_[index];
  if (value.is_null()) return value;
  JsonUnfit unfit = JsonUnfit::nothing;
  if (expr.op == Op::payload_text) {
    if (!read_payload()) return Value::null();
    value = Value::json(value.as_text());
    unfit = scanner_.unfit();
  } else if (expr.op == Op::field) {
    value = Value::json(scanner_.field(expr.index)->raw);
    if (use == JsonUse::stored && scanner_.unfit() != JsonUnfit::nothing) {
      unfit = unfit_for_jsonb(value.as_text());
    }
  } else if (value.kind() == Value::Kind::json) {
    if (use == JsonUse::stored) unfit = unfit_for_jsonb(value.as_text());
  } else {
    TextArena::Builder out(runtime_.arena());
    append_json(out, value);
    value = Value::json(out.finish());
  }
  if (use == JsonUse::stored && unfit != JsonUnfit::nothing) {
    return runtime_.fail(RuleFailure::value_unfit,
                         fmt::format("{} {}", shown(expr), to_string(unfit)));
  }
  return value;
}

bool Interpreter::read_payload() {
  if (payload_ == Payload::unread) {
    payload_ = scanner_.scan(runtime_.message().payload) ? Payload::good : Payload::bad;
  }
  if (payload_ == Payload::good) return true;
  runtime_.fail(RuleFailure::payload_not_json,
                fmt::format("the payload is not JSON: {} (at byte {})", scanner_.error(),
                            scanner_.error_offset()));
  return false;
}

Value Interpreter::payload_text() {
  const std::string_view payload = runtime_.message().payload;
  if (text_ == Payload::unread) {
    text_ = is_valid_utf8_string(payload) ? Payload::good : Payload::bad;
  }
  if (text_ == Payload::good) return Value::text(payload);
  return runtime_.fail(RuleFailure::value_unfit,
                       "the payload is not text: it is not valid UTF-8, or has a NUL");
}

Value Interpreter::payload_json() {
  if (!read_payload()) return Value::null();
  const JsonValue value = value_of(*scanner_.field(PayloadPaths::kRoot), runtime_.arena());
  if (value.problem == JsonValue::Problem::none) return value.value;
  return runtime_.fail(RuleFailure::value_unfit,
                       fmt::format("payload {}", to_string(value.problem)));
}

Value Interpreter::field(const BoundExpr& expr) {
  if (!read_payload()) return Value::null();
  const Field* const found = scanner_.field(expr.index);
  if (found == nullptr) return Value::null();
  if (found->form == Field::Form::plain) [[likely]]
    return found->value;
  const JsonValue value = value_of(*found, runtime_.arena());
  if (value.problem == JsonValue::Problem::none) return value.value;
  return runtime_.fail(RuleFailure::value_unfit,
                       fmt::format("{} {}", shown(expr), to_string(value.problem)));
}

Value Interpreter::output(std::size_t index) {
  if (ready_[index] == 0) {
    values_[index] = eval(*query_->outputs[index].expr);
    ready_[index] = 1;
  }
  return values_[index];
}

Value Interpreter::message_id() {
  const MessageId& id = runtime_.message().id;
  char digits[32];
  fmt::format_to(digits, "{:016x}{:016x}", id.high, id.low);
  return Value::text(runtime_.arena().copy({digits, sizeof digits}));
}

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

Value Interpreter::call(const BoundExpr& expr) {
  std::array<Value, kMaxArguments> args;
  const Function& function = *expr.function;
  const std::size_t count = expr.args.size();
  for (std::size_t i = 0; i < count; ++i) {
    args[i] = eval(*expr.args[i]);
    if (failed()) return Value::null();
    if (args[i].is_null()) {
      if (function.nulls == Function::Nulls::give_null) return Value::null();
    } else if (!fits(function.parameter(i), args[i])) {
      return takes(expr, fmt::format("{}()", function.name), args[i]);
    }
  }
  return function.implementation(runtime_, std::span(args.data(), count));
}

}  // namespace hub::rules::sql
