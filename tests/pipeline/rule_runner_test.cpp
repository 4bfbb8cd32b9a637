#include "pipeline/rule_runner.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rules/rule_file.h"
#include "tests/pipeline/recording_writer.h"

namespace hub {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Every table has a column n bigint.
class AnyTable final : public rules::Catalogue {
 public:
  [[nodiscard]] std::optional<TableSchema> table(std::string_view name) const override {
    TableSchema out{"public", std::string(name), {}, {}};
    Column& column = out.columns.emplace_back();
    column.name = "n";
    column.type = ColumnType::int8;
    column.type_name = "bigint";
    return out;
  }
};

constexpr std::string_view kDump = "[[rule.action]]\ntype = \"dump\"\ntable = \"t\"\n";
constexpr std::string_view kRepublish = "[[rule.action]]\ntype = \"republish\"\ntopic = \"out\"\n";

std::string rule(std::string_view name, std::string_view actions, std::string_view where = "") {
  return fmt::format("[[rule]]\nname = \"{}\"\nsql = 'SELECT payload.n AS n FROM \"t/#\" {}'\n{}",
                     name, where, actions);
}

std::shared_ptr<const RulesVersion> compile(const std::string& text) {
  const auto compiled =
      rules::compile_rules(rules::parse_rules(text, "rules.toml").rules, AnyTable{});
  for (const auto& each : compiled.problems) ADD_FAILURE() << rules::to_string(each);
  return std::make_shared<const RulesVersion>(compiled.rules);
}

class RuleRunnerTest : public ::testing::Test,
                       private broker::SinkListener,
                       private broker::Publisher {
 protected:
  void start(const std::string& text) {
    const auto version = compile(text);
    accounts.emplace(*version->rules());
    runner.emplace(version, writer, *accounts, barrier);
  }
  // Whether the message is to be acknowledged later.
  bool take(std::string_view payload, Qos qos = Qos::at_least_once) {
    padded = std::string(payload) + std::string(kPayloadPadding, '\0');
    MessageView message;
    message.topic = "t/1";
    message.client_id = "d1";
    message.payload = std::string_view(padded).substr(0, payload.size());
    message.qos = qos;
    return runner->take(*runner->route(message.topic), message, *this);
  }
  [[nodiscard]] storage::LedgerCounts counts(std::size_t rule = 0) const {
    return accounts->accounts()[rule].taken;
  }

  test::RecordingWriter writer;
  AckBarrier barrier{writer, *this};
  std::optional<MessageAccounts> accounts;
  std::optional<RuleRunner> runner;
  std::vector<std::string> published;
  std::vector<std::uint64_t> acknowledged;
  std::string padded;

 private:
  void on_batch_closing() override {}
  void on_committed(std::span<const AckToken> tokens) override {
    for (const AckToken& token : tokens) acknowledged.push_back(token.session);
  }
  void publish(std::string_view topic, std::string_view payload, Qos, bool) override {
    published.push_back(fmt::format("{} {}", topic, payload));
  }
};

TEST_F(RuleRunnerTest, ARowHasToCommitBeforeItsMessageIsAcknowledged) {
  start(rule("r", kDump));
  EXPECT_TRUE(take(R"({"n": 1})"));
  EXPECT_EQ(writer.rows_of["t"], 1);
  EXPECT_EQ(counts(), (storage::LedgerCounts{.received = 1, .committed = 1}));
}

TEST_F(RuleRunnerTest, NothingIsWaitedForWithoutARow) {
  start(rule("passed on", kRepublish) + rule("filtered", kDump, "WHERE payload.n > 5"));
  EXPECT_FALSE(take(R"({"n": 1})"));
  EXPECT_THAT(published, ElementsAre(R"(out {"n":1})"));
  EXPECT_EQ(counts(0), (storage::LedgerCounts{.received = 1, .nothing_to_store = 1}));
  EXPECT_EQ(counts(1), (storage::LedgerCounts{.received = 1, .filtered = 1}));
  EXPECT_EQ(runner->republished(), 1u);
}

TEST_F(RuleRunnerTest, OneActionThatNeedsACommitIsEnough) {
  start(rule("row", kDump) + rule("passed on", kRepublish));
  EXPECT_TRUE(take(R"({"n": 1})"));
  EXPECT_TRUE(take(R"({"n": 2})"));
  start(rule("passed on", kRepublish));
  EXPECT_FALSE(take(R"({"n": 3})"));  // of its own, whatever came before
}

TEST_F(RuleRunnerTest, ADeadLetterHasToCommit) {
  start(rule("r", kDump));
  EXPECT_TRUE(take("{"));
  EXPECT_THAT(writer.dead_letters, ElementsAre("r /  / payload_not_json"));
  writer.problem = "too large";
  EXPECT_TRUE(take(R"({"n": 1})"));
  EXPECT_EQ(writer.dead_letters.back(), "r / dump t / value_unfit");
  EXPECT_EQ(counts(), (storage::LedgerCounts{.received = 2, .dead_lettered = 2}));
}

TEST_F(RuleRunnerTest, ADeadLetterNamesTheLastActionThatWasCarriedOut) {
  const std::string fails = "[[rule.action]]\ntype = \"republish\"\ntopic = \"out/${n}\"\n";
  start(rule("first", fails) + rule("third", std::string(kDump) + std::string(kRepublish) + fails));
  EXPECT_TRUE(take(R"({"n": "#"})"));  // no name of a topic
  EXPECT_THAT(writer.dead_letters, ElementsAre("first /  / template_failed",
                                               "third / after republish / template_failed"));
  EXPECT_EQ(counts(1), (storage::LedgerCounts{.received = 1, .dead_lettered = 1}));
}

TEST_F(RuleRunnerTest, OnlyQos0IsShedWhenStorageIsFull) {
  start(rule("r", kDump));
  writer.full = true;
  EXPECT_FALSE(take(R"({"n": 1})", Qos::at_most_once));
  EXPECT_THAT(writer.rows_of, IsEmpty());
  EXPECT_TRUE(take(R"({"n": 2})", Qos::at_least_once));
  EXPECT_EQ(counts(),
            (storage::LedgerCounts{.received = 2, .committed = 1, .shed_storage_full = 1}));
}

TEST_F(RuleRunnerTest, AnAcknowledgementGoesWithTheBatchAndComesBackFromIt) {
  start(rule("r", kDump));
  ASSERT_TRUE(take(R"({"n": 1})"));
  barrier.acknowledge_later({7, 0, 0});
  EXPECT_THAT(acknowledged, IsEmpty());
  barrier.on_committed(writer.tokens);
  EXPECT_THAT(acknowledged, ElementsAre(7));
}

TEST_F(RuleRunnerTest, TopicsThatMatchTheSameRulesShareARoute) {
  start(rule("r", kDump));
  EXPECT_EQ(runner->route("t/1"), runner->route("t/2"));
  EXPECT_EQ(runner->route("u"), nullptr);
}

}  // namespace
}  // namespace hub
