#pragma once

#include <string>
#include <string_view>

namespace hub::rules::testing {

// Runs rules that are written as text, and adds a test failure for each line that does not hold.
//
//   # a comment
//   table   climate (device text not null, t float8)    a table of the database, from here on
//   rule    SELECT temp * 2 AS t FROM '/a/+/up'         one statement, which republishes to "out"
//   file                                                or a whole rule file, indented below
//     [[rule]] …
//   error   1:14 syntax.expected_expression             a problem at that line and column
//   publish /a/d1/up {"temp": 21}                       a message
//   expect  {"t": 42}                                   what the statement republishes
//   row     climate {"t":42}                            a row, as RecordingSink writes it
//   sends   alerts/d1 {"t":42}                          a message that is republished
//   filtered                                            WHERE was not true
//   failed  evaluation_failed division by zero          the failure, and a part of its detail
//
// All problems of a rule and all effects of a message have to be named, in order. Lines that are
// indented continue the one above.
void run_cases(std::string_view text, const std::string& file);

}  // namespace hub::rules::testing
