#include "rules/rule_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "rules/rule_set.h"
#include "tests/rules/fakes.h"

namespace hub::rules::testing {
namespace {

// A directory of its own, removed at the end.
class RuleDirectory : public ::testing::Test {
 protected:
  RuleDirectory() {
    char name[] = "/tmp/rules_test_XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~RuleDirectory() override {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  void write(const std::string& name, std::string_view text) const {
    std::ofstream(path_ / name) << text;
  }
  static std::string rule(const std::string& name) {
    return "[[rule]]\nname = '" + name +
           "'\nsql = 'SELECT qos FROM \"a\"'\n[[rule.action]]\ntype = 'republish'\ntopic = 'x'\n";
  }

  std::filesystem::path path_;
};

TEST_F(RuleDirectory, IsReadInTheOrderOfItsFilesNames) {
  write("b.toml", rule("second"));
  write("a.toml", rule("first"));
  write("c.txt", "no rules");
  const RuleFiles files = load_rules(path_);
  EXPECT_EQ(joined(files.problems), "");
  ASSERT_EQ(files.rules.size(), 2u);
  EXPECT_EQ(files.rules[0].name, "first");
  EXPECT_EQ(files.rules[0].file, (path_ / "a.toml").string());
  EXPECT_EQ(files.rules[1].name, "second");
}

TEST_F(RuleDirectory, ReportsTheSameNameInTwoFiles) {
  write("a.toml", rule("same"));
  write("b.toml", rule("same"));
  const RuleFiles files = load_rules(path_);
  ASSERT_EQ(files.problems.size(), 1u);
  EXPECT_EQ(to_string(files.problems[0]),
            (path_ / "b.toml").string() + ":2:9: there is already a rule same at " +
                (path_ / "a.toml").string() + ":1 [file.duplicate_rule]");
}

TEST_F(RuleDirectory, HasToHaveRules) {
  const RuleFiles files = load_rules(path_);
  ASSERT_EQ(files.problems.size(), 1u);
  EXPECT_EQ(files.problems[0].code, "file.no_rules");
}

TEST_F(RuleDirectory, ReportsAFileThatIsNotThere) {
  const RuleFiles files = load_rules(path_ / "none.toml");
  ASSERT_EQ(files.problems.size(), 1u);
  EXPECT_EQ(files.problems[0].code, "file.unreadable");
}

TEST(RuleFile, KeepsWhatItSays) {
  const RuleFiles files = parse_rules(R"toml(
[[rule]]
name = "n"
description = "what it does"
enabled = false
sql = 'SELECT qos FROM "a"'
[[rule.action]]
type = "republish"
topic = "x"
qos = 1
when = "qos > 0"
)toml",
                                      "f.toml");
  EXPECT_EQ(joined(files.problems), "");
  ASSERT_EQ(files.rules.size(), 1u);
  const RuleSource& rule = files.rules[0];
  EXPECT_EQ(rule.description, "what it does");
  EXPECT_FALSE(rule.enabled);
  EXPECT_EQ(rule.position, (SourcePosition{2, 1}));
  EXPECT_EQ(rule.sql.position(0), (SourcePosition{6, 8}));
  const auto& republish = std::get<RepublishSource>(rule.actions.at(0));
  EXPECT_EQ(republish.qos, Qos::at_least_once);
  EXPECT_EQ(republish.when->text(), "qos > 0");
}

TEST(DefaultRules, FitTheTableOfTheMigrations) {
  FakeCatalogue catalogue;
  catalogue.add(
      "telemetry (received_at timestamptz not null, device text not null, topic text not null, "
      "payload jsonb)");
  const RuleFiles files = default_rules();
  EXPECT_EQ(joined(files.problems), "");
  const Compilation compiled = compile_rules(files.rules, catalogue);
  EXPECT_EQ(joined(compiled.problems), "");
  ASSERT_NE(compiled.rules, nullptr);
  ASSERT_EQ(compiled.rules->match("devices/d1/telemetry").size(), 1u);
  EXPECT_TRUE(compiled.rules->match("devices/d1/status").empty());
}

}  // namespace
}  // namespace hub::rules::testing
