#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "rules/rule_set.h"
#include "storage/batch_writer.h"

namespace hub {

// One version of the rules, with what the pipeline makes of it once: where the rows of each dump
// action go, and what its actions are called in dead letters.
//
// Immutable: all shards share it, and any thread may read it. What is passed to its functions is of
// its own rule set.
class RulesVersion {
 public:
  // rules: not null.
  explicit RulesVersion(std::shared_ptr<const rules::RuleSet> rules);

  [[nodiscard]] const std::shared_ptr<const rules::RuleSet>& rules() const noexcept {
    return rules_;
  }

  // By DumpAction::index(). What holds one of them may outlive the version.
  [[nodiscard]] const std::vector<storage::RowTargetPtr>& targets() const noexcept {
    return targets_;
  }
  [[nodiscard]] const storage::RowTargetPtr& target(const rules::DumpAction& action) const {
    return targets_[action.index()];
  }

  // In the order of the rule's actions: "dump climate", "republish", and "dump climate #2" where a
  // name comes again.
  [[nodiscard]] const std::vector<std::string>& action_names(const rules::RulePlan& rule) const {
    return action_names_[rule.index()];
  }
  using AnyAction = std::variant<const rules::DumpAction*, const rules::RepublishAction*>;
  // Of one action of that rule. Cost: looks at each of them.
  [[nodiscard]] const std::string& action_name(const rules::RulePlan& rule, AnyAction action) const;

 private:
  std::shared_ptr<const rules::RuleSet> rules_;
  std::vector<std::vector<std::string>> action_names_;  // by RulePlan::index()
  std::vector<storage::RowTargetPtr> targets_;
};

}  // namespace hub
