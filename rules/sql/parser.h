#pragma once

#include <string_view>

#include "rules/sql/ast.h"
#include "rules/sql/problem.h"

namespace hub::rules::sql {

// Parses a whole rule statement; the grammar is in docs/rules.md. Reports every mistake that it
// can tell apart (one per SELECT item, one per clause); when it reported none, the query is
// complete.
[[nodiscard]] Query parse_query(std::string_view statement, Problems& problems);

// Parses a lone expression: an action's `when`. Null when it reported a problem.
[[nodiscard]] ExprPtr parse_expression(std::string_view text, Problems& problems);

}  // namespace hub::rules::sql
