#pragma once

#include <optional>
#include <string>

#include "base/table_schema.h"
#include "rules/rule_plan.h"
#include "rules/sql/bound.h"

namespace hub::rules {

// Why no value of the expression can ever be stored in the column; empty when some may be.
// The same table of kinds and column types is in docs/rules.md.
[[nodiscard]] std::optional<std::string> column_misfit(const sql::BoundExpr& expr,
                                                       const Column& column);

// What the evaluator does to the expression's value on its way into the column.
[[nodiscard]] DumpAction::Form form_for(const sql::BoundExpr& expr, const Column& column);

}  // namespace hub::rules
