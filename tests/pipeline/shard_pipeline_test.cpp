// The pipeline of a shard on a real PostgreSQL, and rules that are exchanged while it runs.
#include "pipeline/shard_pipeline.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "broker/broker.h"
#include "rules/rule_file.h"
#include "storage/catalogue.h"
#include "storage/migration.h"
#include "tests/support/postgres_fixture.h"
#include "tests/support/raw_mqtt_client.h"

namespace hub {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LiveCatalogue final : public rules::Catalogue {
 public:
  explicit LiveCatalogue(const std::string& url) : database_(url) {}
  [[nodiscard]] std::optional<TableSchema> table(std::string_view name) const override {
    return database_.table(name);
  }

 private:
  storage::PgCatalogue database_;
};

// A rule that writes the messages below "t/" into a table (n bigint).
std::string counting_rule(std::string_view name, std::string_view table,
                          std::string_view more = "") {
  return fmt::format(
      "[[rule]]\nname = \"{}\"\n{}sql = 'SELECT payload.n AS n FROM \"t/#\"'\n"
      "[[rule.action]]\ntype = \"dump\"\ntable = \"{}\"\n",
      name, more, table);
}

// A database with the tables a, b and "below ten".
class Exchange : public ::testing::Test {
 protected:
  Exchange() {
    storage::apply_migrations(database.url());
    database.query(
        "CREATE TABLE a (n bigint); CREATE TABLE b (n bigint);"
        "CREATE TABLE below_ten (n bigint CHECK (n < 10))");
    options.hub_id = "11111111-2222-3333-4444-555555555555";
  }

  [[nodiscard]] std::shared_ptr<const RulesVersion> compile(const std::string& text) const {
    const rules::Compilation compiled = rules::compile_rules(
        rules::parse_rules(text, "rules.toml").rules, LiveCatalogue{database.url()});
    for (const auto& each : compiled.problems) ADD_FAILURE() << rules::to_string(each);
    return std::make_shared<const RulesVersion>(compiled.rules);
  }
  // "<rule>|received|committed|dead_lettered|rows" of each.
  std::string ledger() {
    return database.query(
        "SELECT rule, sum(received), sum(committed), sum(dead_lettered), sum(rows) "
        "FROM iothub.ledger GROUP BY rule ORDER BY rule");
  }

  test::TestDatabase database;
  storage::PgWriterOptions options;
  storage::Connector connector{database.url()};
  std::vector<std::string> told;
  OutageLog outages{[this](log::Level, const std::string& line) { told.push_back(line); }};
};

// One shard without its broker: the test's thread is its loop.
class ShardPipelineTest : public Exchange, private broker::SinkListener, private broker::Publisher {
 protected:
  void start(const std::string& text) {
    broker::SinkListener& listener = *this;
    pipeline.emplace(io, compile(text), connector, options, listener, outages, nullptr);
  }
  void use(const std::string& text) { pipeline->use(compile(text)); }

  // As a broker does it, with a route that it has asked for under the present version.
  bool take(std::string_view topic, std::int64_t n) {
    const std::string payload = fmt::format("{{\"n\": {}}}", n);
    padded = payload + std::string(kPayloadPadding, '\0');
    MessageView message;
    message.id = {1, static_cast<std::uint64_t>(n)};
    message.topic = topic;
    message.client_id = "d1";
    message.payload = std::string_view(padded).substr(0, payload.size());
    message.qos = Qos::at_least_once;
    const SinkRoute* const route = pipeline->route(topic);
    if (route == nullptr) return false;
    if (!pipeline->take(*route, message, *this)) return false;
    pipeline->acknowledge_after_commit({static_cast<std::uint64_t>(n), 0, 0});
    return true;
  }
  void run_until(const std::function<bool()>& condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), until) << "waited for too long";
      io.restart();
      io.run_one_for(std::chrono::milliseconds(100));
    }
  }
  void run_until_idle() {
    pipeline->end_of_turn();
    run_until([this] { return pipeline->idle(); });
  }
  // As the hub does when it stops: what waits is booked.
  void stop() {
    pipeline->prepare_stop();
    run_until_idle();
  }
  [[nodiscard]] std::vector<std::string> rules_of_report() const {
    std::vector<std::string> out;
    for (const auto& account : pipeline->report().rules) {
      out.push_back(fmt::format("{} {}", account.rule, account.taken.received));
    }
    return out;
  }

  boost::asio::io_context io{1};
  std::vector<std::uint64_t> acknowledged;
  std::vector<std::string> published;
  std::string padded;
  std::optional<ShardPipeline> pipeline;

 private:
  void on_batch_closing() override {}
  void on_committed(std::span<const AckToken> tokens) override {
    for (const AckToken& token : tokens) acknowledged.push_back(token.session);
  }
  void publish(std::string_view topic, std::string_view, Qos, bool) override {
    published.emplace_back(topic);
  }
};

TEST_F(ShardPipelineTest, RowsOfBothVersionsAreInOneBatchAndEachInItsTable) {
  start(counting_rule("old", "a"));
  ASSERT_TRUE(take("t/1", 1));
  use(counting_rule("new", "b"));
  ASSERT_TRUE(take("t/1", 2));
  run_until_idle();
  EXPECT_EQ(database.query("SELECT n FROM a"), "1");
  EXPECT_EQ(database.query("SELECT n FROM b"), "2");
  EXPECT_THAT(acknowledged, ElementsAre(1, 2));
  EXPECT_EQ(ledger(), "new|1|1|0|1\nold|1|1|0|1");
}

TEST_F(ShardPipelineTest, ARowOfTheOldVersionIsRefusedUnderItsOwnName) {
  start(counting_rule("old", "below_ten"));
  ASSERT_TRUE(take("t/1", 5));
  ASSERT_TRUE(take("t/1", 10));
  use(counting_rule("new", "b"));
  ASSERT_TRUE(take("t/1", 2));
  run_until_idle();
  EXPECT_EQ(ledger(), "new|1|1|0|1\nold|2|1|1|1");
  EXPECT_EQ(database.query("SELECT rule, action FROM iothub.dead_letter"), "old|dump below_ten");
  stop();
  EXPECT_EQ(database.query("SELECT rule, device, received, committed, dead_lettered "
                           "FROM iothub.device_ledger ORDER BY rule"),
            "new|d1|1|1|0\nold|d1|2|1|1");
}

TEST_F(ShardPipelineTest, WhatTheOldVersionHasCountedIsBookedWithoutAFurtherMessage) {
  start(counting_rule("old", "a"));
  ASSERT_TRUE(take("t/1", 1));
  run_until_idle();
  ASSERT_TRUE(take("t/1", 2));
  use(counting_rule("new", "b"));
  stop();
  EXPECT_EQ(ledger(), "old|2|2|0|2");
  EXPECT_EQ(database.query("SELECT rule, device, received, committed FROM iothub.device_ledger"),
            "old|d1|2|2");
}

TEST_F(ShardPipelineTest, ARuleThatStaysGoesOnCounting) {
  start(counting_rule("gone", "a") + counting_rule("stays", "a"));
  ASSERT_TRUE(take("t/1", 1));
  use(counting_rule("stays", "b") + counting_rule("new", "b"));
  ASSERT_TRUE(take("t/1", 2));
  EXPECT_THAT(rules_of_report(), ElementsAre("stays 2", "new 1", "gone 1"));
  run_until_idle();
  EXPECT_EQ(ledger(), "gone|1|1|0|1\nnew|1|1|0|1\nstays|2|2|0|2");
}

TEST_F(ShardPipelineTest, EachExchangeHasANumberOfItsOwn) {
  const auto first = compile(counting_rule("r", "a"));
  start(counting_rule("r", "b"));
  std::set<std::uint64_t> numbers{pipeline->route_version()};
  for (const auto& version : {first, compile(counting_rule("r", "b")), first, first}) {
    pipeline->use(version);
    EXPECT_TRUE(numbers.insert(pipeline->route_version()).second);
  }
}

TEST_F(ShardPipelineTest, AFaultOfATableIsToldAnewAfterAnExchange) {
  start(counting_rule("r", "a"));
  const std::string again = counting_rule("r", "a");
  const auto mended = compile(again);
  database.query("ALTER TABLE a RENAME TO away");
  ASSERT_TRUE(take("t/1", 1));
  run_until([this] { return !told.empty(); });
  EXPECT_THAT(told.back(), HasSubstr("cannot be written"));
  database.query("ALTER TABLE away RENAME TO a");
  pipeline->use(mended);
  ASSERT_TRUE(take("t/1", 2));
  run_until_idle();
  EXPECT_EQ(database.query("SELECT n FROM a"), "2");
  database.query("ALTER TABLE a RENAME TO away");
  told.clear();
  ASSERT_TRUE(take("t/1", 3));
  run_until_idle();
  run_until([this] { return !told.empty(); });
  EXPECT_THAT(told.back(), HasSubstr("cannot be written"));
}

// The whole shard: what its match cache knows of a topic is of the version before.
class RunningHub : public Exchange {
 protected:
  void exchange(const std::string& text) {
    std::promise<void> done;
    pipeline->post([&, version = compile(text)](ShardPipeline& target) {
      target.use(version);
      done.set_value();
    });
    done.get_future().get();
  }
  void publish(test::RawMqttClient& device, std::int64_t n) {
    const auto id = static_cast<std::uint16_t>(n);
    device.publish("t/1", fmt::format("{{\"n\": {}}}", n), Qos::at_least_once, id);
    device.expect_ack(mqtt::PacketType::puback, id);
  }

  std::optional<OnShard<ShardPipeline>> pipeline;
};

TEST_F(RunningHub, TheNextMessageOfAKnownTopicIsForTheNewRules) {
  const auto first = compile(counting_rule("first", "a"));
  broker::Broker broker{
      {},
      1,
      [&](std::uint32_t, boost::asio::io_context& shard, broker::SinkListener& listener) {
        auto sink = std::make_unique<ShardPipeline>(shard, first, connector, options, listener,
                                                    outages, nullptr);
        pipeline.emplace(shard, *sink);
        return sink;
      },
      {}};
  test::RawMqttClient device{broker.listen("127.0.0.1", 0)};
  device.connect("d1");
  publish(device, 1);
  publish(device, 2);
  exchange(counting_rule("second", "b"));
  publish(device, 3);
  exchange(
      "[[rule]]\nname = \"elsewhere\"\nsql = 'SELECT payload.n AS n FROM \"u/#\"'\n"
      "[[rule.action]]\ntype = \"dump\"\ntable = \"a\"\n");
  publish(device, 4);  // for no rule
  exchange(counting_rule("first", "a"));
  publish(device, 5);
  EXPECT_TRUE(broker.stop(std::chrono::seconds(20)));
  EXPECT_EQ(database.query("SELECT array_agg(n ORDER BY n) FROM a"), "{1,2,5}");
  EXPECT_EQ(database.query("SELECT array_agg(n ORDER BY n) FROM b"), "{3}");
  EXPECT_EQ(ledger(), "first|3|3|0|3\nsecond|1|1|0|1");
}

}  // namespace
}  // namespace hub
