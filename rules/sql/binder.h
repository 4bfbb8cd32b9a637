#pragma once

#include <string>

#include "rules/payload/payload_paths.h"
#include "rules/sql/ast.h"
#include "rules/sql/bound.h"

namespace hub::rules::sql {

// Resolves the names of a parsed query and checks its types. Adds what it reads of the payload to
// `paths`. When it reported no problem, `out` is complete.
// text: the statement; kept in `out`, for the messages of the run.
void bind_query(const Query& query, std::string text, PayloadPaths& paths, BoundQuery& out,
                Problems& problems);

// Binds the condition of an action, in which the query's outputs are names, too. Null when it
// reported a problem.
[[nodiscard]] const BoundExpr* bind_condition(const Expr& condition, std::string text,
                                              PayloadPaths& paths, BoundQuery& query,
                                              Problems& problems);

}  // namespace hub::rules::sql
