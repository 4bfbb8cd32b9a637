#include "tests/rules/case_runner.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "rules/evaluator.h"
#include "rules/rule_file.h"
#include "rules/rule_set.h"
#include "tests/rules/fakes.h"

namespace hub::rules::testing {
namespace {

struct Line {
  std::size_t number = 0;
  std::string word;
  std::string rest;
};

std::vector<Line> read_lines(std::string_view text) {
  std::vector<Line> lines;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    std::string line(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.starts_with('#')) continue;
    if (line.starts_with("  ") && !lines.empty()) {
      if (lines.back().word != "file" || !lines.back().rest.empty()) lines.back().rest += '\n';
      lines.back().rest += lines.back().word == "file" ? line.substr(2) : line;
      continue;
    }
    if (line.empty()) {
      if (!lines.empty() && lines.back().word == "file") lines.back().rest += '\n';
      continue;
    }
    const std::size_t space = std::min(line.find(' '), line.size());
    const std::size_t rest = std::min(line.find_first_not_of(' ', space), line.size());
    lines.push_back({number, line.substr(0, space), line.substr(rest)});
  }
  return lines;
}

// Takes out the spaces of JSON text that are not within strings.
std::string compact(std::string_view json) {
  std::string out;
  bool inside = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (json[i] == '"' && (i == 0 || json[i - 1] != '\\')) inside = !inside;
    if (json[i] != ' ' || inside) out += json[i];
  }
  return out;
}

RuleFiles statement(const std::string& sql) {
  SourcePosition at;
  std::vector<SourcePosition> positions;
  for (const char c : sql) {
    positions.push_back(at);
    at = c == '\n' ? SourcePosition{at.line + 1, 1} : SourcePosition{at.line, at.column + 1};
  }
  positions.push_back(at);
  RuleSource rule;
  rule.name = "case";
  rule.sql = SourceText(sql, std::move(positions));
  RepublishSource republish;
  republish.topic = SourceText("out", {{}});
  rule.actions.emplace_back(std::move(republish));
  RuleFiles files;
  files.rules.push_back(std::move(rule));
  return files;
}

class Runner {
 public:
  void run(const Line& line) {
    if (line.word == "table") {
      settle();
      catalogue_.add(line.rest);
    } else if (line.word == "rule" || line.word == "file") {
      settle();
      load(line.word == "rule" ? statement(line.rest) : parse_rules(line.rest, "rules.toml"));
    } else if (line.word == "error") {
      expect_problem(line.rest);
    } else if (line.word == "publish") {
      settle();
      publish(line.rest);
    } else {
      expect_effect(line);
    }
  }

  // Whatever was not named by now is one too many.
  void settle() {
    for (; problem_ < problems_.size(); ++problem_) {
      ADD_FAILURE() << "not expected: " << to_string(problems_[problem_]);
    }
    for (; effect_ < sink_.effects.size(); ++effect_) {
      ADD_FAILURE() << "not expected: " << sink_.effects[effect_];
    }
  }

 private:
  void load(RuleFiles files) {
    problems_ = std::move(files.problems);
    Compilation compiled = compile_rules(files.rules, catalogue_);
    problems_.insert(problems_.end(), compiled.problems.begin(), compiled.problems.end());
    problem_ = 0;
    rules_ = compiled.rules;
    sink_.effects.clear();
    effect_ = 0;
    evaluator_ = rules_ != nullptr ? std::make_unique<Evaluator>(rules_) : nullptr;
  }

  void expect_problem(const std::string& expected) {
    if (problem_ == problems_.size()) {
      ADD_FAILURE() << "expected a problem, and there is none left";
      return;
    }
    const Diagnostic& problem = problems_[problem_++];
    const std::string place =
        fmt::format("{}:{} {}", problem.position.line, problem.position.column, problem.code);
    const std::size_t code_end =
        std::min(expected.find(' ', expected.find(' ') + 1), expected.size());
    EXPECT_EQ(place, expected.substr(0, code_end)) << problem.text;
    if (code_end < expected.size()) {
      EXPECT_NE(problem.text.find(expected.substr(code_end + 1)), std::string::npos)
          << problem.text;
    }
  }

  void publish(const std::string& topic_and_payload) {
    ASSERT_NE(evaluator_, nullptr) << "the rule has problems";
    const std::size_t space = std::min(topic_and_payload.find(' '), topic_and_payload.size());
    const TestMessage message(
        topic_and_payload.substr(0, space),
        topic_and_payload.substr(std::min(space + 1, topic_and_payload.size())));
    sink_.effects.clear();
    effect_ = 0;
    evaluator_->run(message.view, rules_->match(message.view.topic), sink_);
  }

  void expect_effect(const Line& line) {
    if (effect_ == sink_.effects.size()) {
      ADD_FAILURE() << "nothing happened";
      return;
    }
    const std::string& effect = sink_.effects[effect_++];
    if (line.word == "expect") {
      EXPECT_EQ(compact(effect), compact("sends out " + line.rest));
    } else if (line.word == "failed") {
      const std::size_t space = std::min(line.rest.find(' '), line.rest.size());
      EXPECT_EQ(effect.substr(0, 8 + space), "failed " + line.rest.substr(0, space) + " ");
      EXPECT_NE(effect.find(line.rest.substr(std::min(space + 1, line.rest.size()))),
                std::string::npos)
          << effect;
    } else {
      EXPECT_EQ(effect, line.rest.empty() ? line.word : line.word + " " + line.rest);
    }
  }

  FakeCatalogue catalogue_;
  std::shared_ptr<const RuleSet> rules_;
  std::unique_ptr<Evaluator> evaluator_;
  std::vector<Diagnostic> problems_;
  std::size_t problem_ = 0;
  RecordingSink sink_;
  std::size_t effect_ = 0;
};

}  // namespace

void run_cases(std::string_view text, const std::string& file) {
  Runner runner;
  for (const Line& line : read_lines(text)) {
    SCOPED_TRACE(fmt::format("{}:{}: {} {}", file, line.number, line.word, line.rest));
    runner.run(line);
  }
  SCOPED_TRACE(file + ": at the end");
  runner.settle();
}

}  // namespace hub::rules::testing
