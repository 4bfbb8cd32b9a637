#include "rules/evaluator.h"

#include <gtest/gtest.h>

#include <tuple>

#include "rules/rule_file.h"
#include "tests/rules/fakes.h"
#include "tests/support/allocation_count.h"

namespace hub::rules::testing {
namespace {

std::shared_ptr<const RuleSet> compile(std::string_view toml) {
  FakeCatalogue catalogue;
  catalogue.add(
      "climate (device text not null key, ts timestamptz, t float8, h float8, state text)");
  catalogue.add("telemetry (received_at timestamptz, device text, topic text, payload jsonb)");
  const RuleFiles files = parse_rules(toml, "rules.toml");
  Compilation compiled = compile_rules(files.rules, catalogue);
  EXPECT_EQ(joined(files.problems) + joined(compiled.problems), "");
  return compiled.rules;
}

class NoSink final : public ActionSink {
 public:
  std::size_t rows = 0;
  std::size_t sent = 0;
  std::size_t failures = 0;
  std::size_t filters = 0;
  std::size_t finishes = 0;
  void dump(const RulePlan&, const DumpAction&, std::span<const Value>,
            const MessageView&) override {
    ++rows;
  }
  void republish(const RulePlan&, const RepublishAction&, std::string_view, std::string_view,
                 const MessageView&) override {
    ++sent;
  }
  void filtered(const RulePlan&, const MessageView&) override { ++filters; }
  void failed(const RulePlan&, RuleFailure, std::string_view, const MessageView&) override {
    ++failures;
  }
  void finished(const RulePlan&, const MessageView&) override { ++finishes; }
};

TEST(Evaluator, AllocatesNothingInTheSteadyState) {
  const auto rules = compile(R"toml(
[[rule]]
name = "climate"
sql = '''
  SELECT clientid AS device, timestamp AS ts, payload.t AS t, payload.h AS h,
         upper(payload.state) AS state
  FROM "devices/+/telemetry"
  WHERE payload.t > -100 AND topic(1) = 'devices'
'''
[[rule.action]]
type = "dump"
table = "climate"
[[rule.action]]
type = "republish"
topic = "alerts/${device}"
[[rule]]
name = "telemetry"
sql = 'SELECT timestamp AS received_at, topic(2) AS device, topic, payload FROM "devices/#"'
[[rule.action]]
type = "dump"
table = "telemetry"
)toml");
  Evaluator evaluator(rules);
  NoSink sink;
  const TestMessage message("devices/d1/telemetry",
                            R"({"t": 21.5, "h": 1.23456789e-5, "state": "\u00e9 on", "n": 12})");
  const std::vector<const RulePlan*> plans = rules->match(message.view.topic);
  evaluator.run(message.view, plans, sink);
  ASSERT_EQ(sink.rows, 2u);
  ASSERT_EQ(sink.failures, 0u);

  const std::size_t before = test::allocations_of_this_thread();
  for (int i = 0; i < 1000; ++i) evaluator.run(message.view, plans, sink);
  EXPECT_EQ(test::allocations_of_this_thread() - before, 0u);
  EXPECT_EQ(sink.rows, 2002u);
  EXPECT_EQ(sink.sent, 1001u);
}

TEST(Evaluator, GivesUpOnTextWithoutBound) {
  std::string sql = "SELECT payload AS p, concat(payload, payload) AS x0";
  for (int i = 0; i < 40; ++i) {
    sql += ", concat(x" + std::to_string(i) + ", x" + std::to_string(i) + ") AS x" +
           std::to_string(i + 1);
  }
  const auto rules = compile("[[rule]]\nname = 'big'\nsql = '" + sql +
                             " FROM \"#\"'\n[[rule.action]]\ntype = 'republish'\ntopic = 'x'\n"
                             "[[rule]]\nname = 'small'\nsql = 'SELECT upper(topic) AS t FROM "
                             "\"#\"'\n[[rule.action]]\ntype = 'republish'\ntopic = 'x'");
  Evaluator evaluator(rules);
  for (int round = 0; round < 3; ++round) {
    RecordingSink sink;
    const TestMessage message("t", "[1]");
    evaluator.run(message.view, rules->match("t"), sink);
    ASSERT_EQ(sink.effects.size(), 2u);
    EXPECT_EQ(sink.effects[0],
              "failed evaluation_failed the rule computes more than 16 MiB of text for this "
              "message");
    EXPECT_EQ(sink.effects[1], "sends x {\"t\":\"T\"}");
  }
}

TEST(Evaluator, FailsOnPayloadsThatAreNotText) {
  const auto rules = compile(
      "[[rule]]\nname = 'r'\nsql = 'SELECT lower(payload) AS device FROM \"#\"'\n"
      "[[rule.action]]\ntype = 'dump'\ntable = 'climate'\n");
  Evaluator evaluator(rules);
  for (const std::string& payload : {std::string("\xff"), std::string("a\0b", 3)}) {
    RecordingSink sink;
    const TestMessage message("t", payload);
    evaluator.run(message.view, rules->match("t"), sink);
    ASSERT_EQ(sink.effects.size(), 1u);
    EXPECT_EQ(sink.effects[0],
              "failed value_unfit the payload is not text: it is not valid UTF-8, or has a NUL");
  }
}

TEST(Evaluator, GivesNullForAnAbsentUserName) {
  const auto rules = compile(
      "[[rule]]\nname = 'r'\nsql = 'SELECT username AS u FROM \"#\"'\n"
      "[[rule.action]]\ntype = 'republish'\ntopic = 'x'\n");
  Evaluator evaluator(rules);
  RecordingSink sink;
  TestMessage message("t", "");
  message.view.username = {};
  evaluator.run(message.view, rules->match("t"), sink);
  EXPECT_EQ(sink.effects, std::vector<std::string>{"sends x {\"u\":null}"});
}

TEST(RuleSet, NumbersRulesAndDumpActions) {
  const auto rules = compile(R"toml(
[[rule]]
name = "a"
sql = 'SELECT clientid AS device FROM "a/+", "b"'
[[rule.action]]
type = "dump"
table = "climate"
key = ["device"]
on_conflict = "update"
[[rule.action]]
type = "republish"
topic = "x"
[[rule]]
name = "b"
sql = 'SELECT clientid AS device FROM "#"'
[[rule.action]]
type = "dump"
table = "climate"
key = ["device"]
[[rule.action]]
type = "dump"
table = "climate"
)toml");
  ASSERT_EQ(rules->size(), 2u);
  ASSERT_EQ(rules->dump_actions().size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(rules->dump_actions()[i]->index(), i);
  EXPECT_EQ(rules->dump_actions()[0]->name(), "dump climate");
  EXPECT_EQ(rules->dump_actions()[0]->key(), std::vector<std::string>{"device"});
  EXPECT_EQ(rules->dump_actions()[0]->on_conflict(), OnConflict::update);
  EXPECT_EQ(rules->dump_actions()[1]->on_conflict(), OnConflict::ignore);
  EXPECT_EQ(rules->dump_actions()[2]->on_conflict(), OnConflict::none);
  EXPECT_EQ(rules->match("a/x").size(), 2u);
  EXPECT_EQ(rules->match("b").front()->name(), "a");
  EXPECT_EQ(rules->match("c").size(), 1u);
  EXPECT_EQ(rules->match("c").front()->index(), 1u);
}

TEST(Evaluator, SaysOfEachRuleOnceHowItEnded) {
  const auto rules = compile(R"(
    [[rule]]
    name = "r"
    sql = 'SELECT clientid AS device, payload.x AS t, payload.x + 1 AS h FROM "#" WHERE payload.x <> 0'
    sequence = "t"
    [[rule.action]]
    type = "dump"
    table = "climate"
    [[rule.action]]
    type = "republish"
    topic = "out"
    when = "t = 2"
  )");
  EXPECT_EQ(rules->plan(0).sequence(), 1u);
  Evaluator evaluator(rules);
  for (const auto& [payload, filtered, failed, finished] :
       std::vector<std::tuple<std::string, bool, bool, bool>>{
           {"{\"x\": 0}", true, false, false},
           {"{\"x\": 1}", false, false, true},
           {"{\"x\": 2}", false, false, true},
           {"{\"x\": \"a\"}", false, true, false},
           {"{", false, true, false}}) {
    NoSink sink;
    const TestMessage message("t", payload);
    evaluator.run(message.view, rules->match("t"), sink);
    EXPECT_EQ(sink.failures, failed ? 1u : 0u) << payload;
    EXPECT_EQ(sink.finishes, finished ? 1u : 0u) << payload;
    EXPECT_EQ(sink.filters, filtered ? 1u : 0u) << payload;
  }
}

}  // namespace
}  // namespace hub::rules::testing
