#include "rules/rule_set.h"

#include <algorithm>

#include "base/topic.h"
#include "rules/payload_paths.h"
#include "rules/sql/bound.h"

namespace hub::rules {

RulePlan::RulePlan(std::size_t index, std::string name, std::string description,
                   std::unique_ptr<const sql::BoundQuery> query, std::vector<Action> actions)
    : index_(index),
      name_(std::move(name)),
      description_(std::move(description)),
      query_(std::move(query)),
      actions_(std::move(actions)) {}

RulePlan::~RulePlan() = default;

const std::vector<std::string>& RulePlan::filters() const { return query_->filters; }

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
