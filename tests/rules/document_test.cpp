#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include "rules/rule_file.h"
#include "rules/rule_set.h"
#include "rules/sql/functions.h"
#include "tests/rules/case_runner.h"
#include "tests/rules/fakes.h"

namespace hub::rules::testing {
namespace {

std::string read_document(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// docs/rules.md has no statement that is not true.
TEST(RulesDocument, HasExamplesThatHold) {
  const std::string text = read_document(RULES_DOCUMENT);
  const std::string open = "```rules\n";
  std::size_t examples = 0;
  for (std::size_t at = 0; (at = text.find(open, at)) != std::string::npos;) {
    at += open.size();
    const std::size_t end = text.find("```", at);
    run_cases(text.substr(at, end - at), "docs/rules.md, example " + std::to_string(++examples));
    at = end;
  }
  EXPECT_GE(examples, 3u);
}

TEST(RulesDocument, ListsTheFunctionsThatThereAre) {
  const std::string text = read_document(RULES_DOCUMENT);
  std::string listed;
  const std::regex row(R"(\n\| `([a-z0-9_]+\([^`]*\))` \| ([a-zA-Z]+) \|)");
  for (std::sregex_iterator at(text.begin(), text.end(), row), end; at != end; ++at) {
    listed += (*at)[1].str() + ": " + (*at)[2].str() + "\n";
  }
  std::string known;
  for (const sql::Function& function : sql::functions()) {
    known += std::string(function.usage) + ": " +
             (function.result == sql::Type::any ? "any" : std::string(to_string(function.result))) +
             "\n";
  }
  EXPECT_EQ(listed, known);
}

TEST(RulesExamples, CompileAgainstTheirTables) {
  FakeCatalogue catalogue;
  catalogue.add(
      "climate (device text not null, ts timestamptz not null, temperature float8, humidity "
      "float8)");
  const RuleFiles files =
      load_rules(std::filesystem::path(RULES_EXAMPLES) / "climate" / "rules.toml");
  EXPECT_EQ(joined(files.problems), "");
  ASSERT_EQ(files.rules.size(), 1u);
  EXPECT_EQ(joined(compile_rules(files.rules, catalogue).problems), "");
}

}  // namespace
}  // namespace hub::rules::testing
