#pragma once

#include <string>

#include "base/message.h"
#include "base/value.h"
#include "rules/diagnostics/rule_failure.h"
#include "rules/payload/text_arena.h"

namespace hub::rules::sql {

// What expressions and functions share while one message is evaluated: the message, room for
// text, and the first failure of the rule.
class Runtime {
 public:
  [[nodiscard]] const MessageView& message() const { return *message_; }
  [[nodiscard]] TextArena& arena() { return arena_; }

  // Notes why the rule fails, unless it has failed before, and gives the NULL to go on with: what
  // is computed after a failure is thrown away. `detail` may be built at leisure.
  Value fail(RuleFailure failure, std::string detail);
  Value fail(std::string detail) { return fail(RuleFailure::evaluation_failed, std::move(detail)); }

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] RuleFailure failure() const { return failure_; }
  [[nodiscard]] const std::string& detail() const { return detail_; }

  void begin_message(const MessageView& message) { message_ = &message; }
  void begin_rule() {
    failed_ = false;
    arena_.reset();
  }

 private:
  const MessageView* message_ = nullptr;
  TextArena arena_;
  bool failed_ = false;
  RuleFailure failure_ = RuleFailure::evaluation_failed;
  std::string detail_;
};

}  // namespace hub::rules::sql
