#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "rules/catalogue.h"
#include "rules/diagnostics/diagnostic.h"
#include "rules/rule_file.h"
#include "rules/rule_plan.h"

namespace hub::rules {

class PayloadPaths;

// All rules of a hub, compiled together so that a payload is read once for all of them.
// Immutable; any thread may use it. Plans and actions live as long as the set.
class RuleSet {
 public:
  RuleSet(std::vector<std::unique_ptr<const RulePlan>> plans,
          std::unique_ptr<const PayloadPaths> paths);
  ~RuleSet();
  RuleSet(const RuleSet&) = delete;
  RuleSet& operator=(const RuleSet&) = delete;

  [[nodiscard]] std::size_t size() const { return plans_.size(); }
  [[nodiscard]] const RulePlan& plan(std::size_t index) const { return *plans_[index]; }
  // All dump actions, by DumpAction::index().
  [[nodiscard]] const std::vector<const DumpAction*>& dump_actions() const { return dumps_; }

  // The rules whose FROM matches a valid topic name, in the order of the files.
  // Cost: grows with the number of filters; callers cache the answer per topic.
  [[nodiscard]] std::vector<const RulePlan*> match(std::string_view topic) const;

  [[nodiscard]] const PayloadPaths& paths() const { return *paths_; }

 private:
  std::vector<std::unique_ptr<const RulePlan>> plans_;
  std::vector<const DumpAction*> dumps_;
  std::unique_ptr<const PayloadPaths> paths_;
};

struct Compilation {
  std::shared_ptr<const RuleSet> rules;  // null when there is a problem
  std::vector<Diagnostic> problems;      // every one, sorted by place
};

// Parses, resolves and type-checks the enabled rules against the live database.
[[nodiscard]] Compilation compile_rules(std::span<const RuleSource> sources,
                                        const Catalogue& catalogue);

}  // namespace hub::rules
