#include "rules/sql/interpreter.h"

#include <fmt/format.h>

#include <array>
#include <chrono>

#include "base/topic.h"
#include "rules/payload/json_text.h"
#include "rules/sql/operators.h"

namespace hub::rules::sql {
namespace {

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

// What a message has beside its payload.
[[gnu::always_inline]] inline Value Interpreter::of_message(Op op) {
  const MessageView& message = runtime_.message();
  switch (op) {
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
    default:  // message_id: the only one left
      return message_id();
  }
}

Value Interpreter::eval(const BoundExpr& expr) {
  switch (expr.op) {
    case Op::constant:
      return expr.constant;
    case Op::client_id:
    case Op::username:
    case Op::topic:
    case Op::qos:
    case Op::retain:
    case Op::timestamp:
    case Op::message_id:
      return of_message(expr.op);
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
    case Op::logical_not:
      return logical_not(expr);
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
