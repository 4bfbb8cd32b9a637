#pragma once

#include <span>
#include <string_view>

#include "base/message.h"
#include "base/value.h"
#include "rules/diagnostics/rule_failure.h"

namespace hub::rules {

class DumpAction;
class RepublishAction;
class RulePlan;

// What rules do to the world, one call per effect, in the order of the rule file. Declared by
// rules, implemented where storage and broker are joined (pipeline/). Called on the shard's thread;
// every argument is borrowed for the call.
class ActionSink {
 public:
  virtual ~ActionSink() = default;

  // One row for the action's table: values[i] belongs to action.columns()[i].
  virtual void dump(const RulePlan& rule, const DumpAction& action, std::span<const Value> values,
                    const MessageView& message) = 0;

  virtual void republish(const RulePlan& rule, const RepublishAction& action,
                         std::string_view topic, std::string_view payload,
                         const MessageView& message) = 0;

  // Each rule ends with one of the three calls below, once for each message.

  // WHERE was not true. No other call follows for this rule and message.
  virtual void filtered(const RulePlan& rule, const MessageView& message) = 0;

  // The rule stops here for this message. `detail` is a sentence for a person.
  virtual void failed(const RulePlan& rule, RuleFailure failure, std::string_view detail,
                      const MessageView& message) = 0;

  // All actions were carried out, but for those whose condition was not true.
  virtual void finished(const RulePlan& /*rule*/, const MessageView& /*message*/) {}
};

}  // namespace hub::rules
