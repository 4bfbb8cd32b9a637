#pragma once

#include <span>
#include <vector>

#include "base/message.h"
#include "base/value.h"
#include "rules/payload/json_scanner.h"
#include "rules/sql/bound.h"
#include "rules/sql/runtime.h"

namespace hub::rules::sql {

// Computes bound expressions for one message at a time. NULL is as in SQL: an operator or a
// function that gets it gives it, but for those that docs/rules.md names.
// One thread's; keeps its memory from message to message.
class Interpreter {
 public:
  explicit Interpreter(const PayloadPaths& paths) : scanner_(paths) {}

  // `message` stays valid until the next call.
  void begin_message(const MessageView& message);
  // `query` stays valid until the next call. Values and failures of the rule before
  // are forgotten.
  void begin_rule(const BoundQuery& query);

  // Each result is to be thrown away when failed() afterwards.
  [[nodiscard]] Value eval(const BoundExpr& expr);
  // Whether a condition holds; NULL does not.
  [[nodiscard]] bool holds(const BoundExpr& condition);
  // All outputs, in order. A bare `payload` is the message's bytes, not checked to be text.
  [[nodiscard]] std::span<const Value> outputs();

  enum class JsonUse : std::uint8_t { any, stored };  // stored: in a jsonb column
  // Output `index`, computed before, as the text of a JSON value: what stood in the payload as it
  // stood there. NULL stays NULL.
  [[nodiscard]] Value json_output(std::size_t index, JsonUse use);
  // The message's payload, when it is text (UTF-8 without U+0000).
  [[nodiscard]] Value payload_text();

  [[nodiscard]] Runtime& runtime() { return runtime_; }
  [[nodiscard]] bool failed() const { return runtime_.failed(); }

 private:
  enum class Payload : std::uint8_t { unread, good, bad };

  bool read_payload();
  Value payload_json();
  Value field(const BoundExpr& expr);
  Value output(std::size_t index);
  Value boolean(const BoundExpr& operand, const BoundExpr& whole, std::string_view op);
  Value logical(const BoundExpr& expr);
  Value logical_not(const BoundExpr& expr);
  Value negate(const BoundExpr& expr);
  Value arithmetic(const BoundExpr& expr);
  Value integer_arithmetic(const BoundExpr& expr, std::int64_t a, std::int64_t b);
  Value comparison(const BoundExpr& expr);
  Value equal(const BoundExpr& expr, const Value& a, const Value& b);
  Value in(const BoundExpr& expr);
  Value between(const BoundExpr& expr);
  Value like(const BoundExpr& expr);
  Value case_when(const BoundExpr& expr);
  Value case_equals(const BoundExpr& expr);
  Value coalesce(const BoundExpr& expr);
  Value concat(const BoundExpr& expr);
  Value call(const BoundExpr& expr);
  Value of_message(Op op);
  Value message_id();
  Value not_comparable(const BoundExpr& expr, const Value& a, const Value& b);
  Value takes(const BoundExpr& expr, std::string_view what, const Value& got);

  Runtime runtime_;
  JsonScanner scanner_;
  const BoundQuery* query_ = nullptr;
  Payload payload_ = Payload::unread;
  Payload text_ = Payload::unread;
  std::vector<Value> values_;        // of the outputs
  std::vector<std::uint8_t> ready_;  // which of them are computed
};

}  // namespace hub::rules::sql
