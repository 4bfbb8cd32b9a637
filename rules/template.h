#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rules/rule_plan.h"
#include "rules/sql/bound.h"

namespace hub::rules {

// Cuts a template at its ${name}s. Empty when it reported a problem; spans count from the
// template's first byte.
[[nodiscard]] std::optional<Template> parse_template(const std::string& text,
                                                     const std::vector<sql::Output>& outputs,
                                                     sql::Problems& problems);

}  // namespace hub::rules
