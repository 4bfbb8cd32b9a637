#pragma once

#include <memory>
#include <span>

#include "base/message.h"
#include "rules/action_sink.h"
#include "rules/rule_set.h"

namespace hub::rules {

// Runs rules on messages. One per shard, on that shard's thread: it owns the scratch memory that
// all messages share, so that the steady state allocates nothing.
class Evaluator {
 public:
  explicit Evaluator(std::shared_ptr<const RuleSet> rules);
  ~Evaluator();
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  // Runs each plan (all from this evaluator's rule set) on the message, in order, and tells the
  // sink what came of it. A plan's failure does not touch the others. The payload is read at most
  // once, and not at all when no plan looks into it.
  // The sink must not call run() of the same evaluator.
  void run(const MessageView& message, std::span<const RulePlan* const> plans, ActionSink& sink);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hub::rules
