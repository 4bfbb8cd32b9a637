#include <gtest/gtest.h>

#include <string>

#include "rules/sql/binder.h"
#include "rules/sql/parser.h"

// No statement, however it is made, exhausts the stack.
namespace hub::rules::sql {
namespace {

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

std::string first_problem(std::string_view expression) {
  Problems problems;
  const ExprPtr expr = parse_expression(expression, problems);
  EXPECT_EQ(expr == nullptr, !problems.empty());
  return problems.empty() ? "" : problems.front().code;
}

TEST(SqlBounds, RefusesExpressionsThatAreTooDeep) {
  for (const std::string& open : {std::string("("), std::string("- "), std::string("NOT "),
                                  std::string("lower("), std::string("1 IN (")}) {
    EXPECT_EQ(first_problem(repeated(open, 10'000)), "syntax.too_deep") << open;
  }
  EXPECT_EQ(first_problem("1" + repeated("+1", 10'000)), "syntax.too_deep");
  EXPECT_EQ(first_problem("1" + repeated(" IS NULL", 5'000)), "syntax.too_deep");
  EXPECT_EQ(first_problem("payload" + repeated(".a", 10'000)), "syntax.too_deep");
}

TEST(SqlBounds, TakesExpressionsOfReasonableDepth) {
  EXPECT_EQ(first_problem(repeated("(", 150) + "1" + repeated(")", 150)), "");
  EXPECT_EQ(first_problem("1" + repeated("+1", 150)), "");
}

TEST(SqlBounds, RefusesStatementsThatAreTooLong) {
  EXPECT_EQ(first_problem(repeated(" ", 64 * 1024 + 1)), "syntax.too_long");
}

TEST(SqlBounds, RefusesOutputsThatAreBuiltOnTooManyOthers) {
  std::string sql = "SELECT qos + 1 AS x0";
  for (int i = 0; i < 300; ++i) {
    sql += ", x" + std::to_string(i) + " + 1 AS x" + std::to_string(i + 1);
  }
  sql += " FROM \"#\" WHERE x300 > 1";
  Problems problems;
  const Query query = parse_query(sql, problems);
  ASSERT_TRUE(problems.empty());
  PayloadPaths paths;
  BoundQuery bound;
  bind_query(query, sql, paths, bound, problems);
  ASSERT_FALSE(problems.empty());
  EXPECT_EQ(problems.front().code, "syntax.too_deep");
}

}  // namespace
}  // namespace hub::rules::sql
