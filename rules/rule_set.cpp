#include "rules/rule_set.h"

#include <algorithm>

#include "base/topic.h"
#include "rules/payload/payload_paths.h"
#include "rules/sql/bound.h"

namespace hub::rules {

RulePlan::RulePlan(Parts parts) : parts_(std::move(parts)) {}

RulePlan::~RulePlan() = default;

const std::vector<std::string>& RulePlan::filters() const { return parts_.query->filters; }

RuleSet::RuleSet(std::vector<std::unique_ptr<const RulePlan>> plans,
                 std::unique_ptr<const PayloadPaths> paths)
    : plans_(std::move(plans)), paths_(std::move(paths)) {
  for (const auto& plan : plans_) {
    for (const Action& action : plan->actions()) {
      if (const auto* dump = std::get_if<DumpAction>(&action)) dumps_.push_back(dump);
    }
  }
}

RuleSet::~RuleSet() = default;

std::vector<const RulePlan*> RuleSet::match(std::string_view topic) const {
  std::vector<const RulePlan*> matching;
  for (const auto& plan : plans_) {
    const bool matches =
        std::any_of(plan->filters().begin(), plan->filters().end(),
                    [&](const std::string& filter) { return topic_matches(filter, topic); });
    if (matches) matching.push_back(plan.get());
  }
  return matching;
}

}  // namespace hub::rules
