#pragma once

#include <string>
#include <vector>

#include "rules/rule_plan.h"

namespace hub {

// What the actions of a rule are called in dead letters, in their order: "dump climate",
// "republish", and "dump climate #2" where a name comes again.
[[nodiscard]] std::vector<std::string> action_names(const rules::RulePlan& rule);

}  // namespace hub
