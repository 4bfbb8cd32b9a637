// The load generator against a broker that is right, and against one that is wrong in one way.

#include "bench/load/run.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "bench/load/report.h"
#include "tests/bench/scripted_broker.h"

namespace hub::bench {
namespace {

constexpr std::uint64_t kMessages = 500;

Options publish_options(MqttVersion version, std::uint8_t qos) {
  Options options;
  options.target.version = version;
  options.publishers = 3;
  options.qos = qos;
  options.window = 10;
  options.messages = kMessages;
  options.topic = "t/{i}";
  options.payload = "{n}";
  options.patience = std::chrono::milliseconds{300};
  return options;
}

Options pair_options(std::uint8_t qos) {
  Options options = publish_options(MqttVersion::v5, qos);
  options.mode = Mode::pair;
  options.subscribers = options.publishers;
  options.payload = "{stamp}";
  return options;
}

Report run_against(ScriptedBroker& broker, Options options) {
  options.target.port = broker.port();
  return run(options);
}

Counters counters_with(const Faults& faults, const Options& options) {
  ScriptedBroker broker{options.target.version, faults};
  return run_against(broker, options).total;
}

TEST(RunAgainstARightBroker, CountsEveryAcknowledgement) {
  for (const MqttVersion version : {MqttVersion::v3_1_1, MqttVersion::v5}) {
    for (const std::uint8_t qos : {0, 1}) {
      const Counters total = counters_with({}, publish_options(version, qos));
      EXPECT_TRUE(total.all_right());
      EXPECT_EQ(total.connected, 3U);
      EXPECT_EQ(total.published, kMessages);
      EXPECT_EQ(total.acked, kMessages);
      EXPECT_EQ(total.latency.count(), 0U) << "it is handed over to the report";
      EXPECT_EQ(total.sums.sequence, 167U * 168 / 2 * 2 + 166U * 167 / 2);
    }
  }
}

TEST(RunAgainstARightBroker, MeasuresTheLatencyOfEachAnswer) {
  ScriptedBroker broker{MqttVersion::v5};
  EXPECT_EQ(run_against(broker, publish_options(MqttVersion::v5, 1)).latency.count(), kMessages);
  EXPECT_EQ(run_against(broker, pair_options(1)).latency.count(), kMessages);
}

TEST(RunAgainstARightBroker, FollowsEachMessageToItsSubscriber) {
  for (const std::uint8_t qos : {0, 1}) {
    const Counters total = counters_with({}, pair_options(qos));
    EXPECT_TRUE(total.all_right());
    EXPECT_EQ(total.delivered, kMessages);
    EXPECT_EQ(total.acked, kMessages);
  }
}

TEST(RunAgainstARightBroker, SharesTheClientsAmongThreads) {
  Options options = pair_options(1);
  options.threads = 2;
  const Counters total = counters_with({}, options);
  EXPECT_TRUE(total.all_right());
  EXPECT_EQ(total.connected, 6U);
  EXPECT_EQ(total.delivered, kMessages);
}

TEST(RunAgainstARightBroker, KeepsToTheNumberOfMessagesAtARateToo) {
  for (const Pace pace : {Pace::open, Pace::capped}) {
    Options options = publish_options(MqttVersion::v5, 1);
    options.pace = pace;
    options.rate = 50'000;
    const Counters total = counters_with({}, options);
    EXPECT_TRUE(total.all_right());
    EXPECT_EQ(total.acked, kMessages);
  }
}

TEST(RunAgainstARightBroker, SendsNothingBeforeAllSubscriptionsAreInForce) {
  ScriptedBroker broker{MqttVersion::v5};
  broker.expect_subscriptions(3);
  run_against(broker, pair_options(1));
  EXPECT_EQ(broker.early_messages(), 0U);
}

TEST(RunAgainstAWrongBroker, NoticesAMissingAcknowledgement) {
  const Counters total =
      counters_with({.unacknowledged = 100}, publish_options(MqttVersion::v3_1_1, 1));
  EXPECT_EQ(total.unanswered, 1U);
  EXPECT_FALSE(total.all_right());
}

TEST(RunAgainstAWrongBroker, NoticesASecondAcknowledgement) {
  const Counters total =
      counters_with({.acknowledged_twice = 100}, publish_options(MqttVersion::v3_1_1, 1));
  EXPECT_EQ(total.unexpected_acks, 1U);
  EXPECT_EQ(total.acked, kMessages);
}

TEST(RunAgainstAWrongBroker, NoticesAcknowledgementsOutOfOrder) {
  Options options = publish_options(MqttVersion::v3_1_1, 1);
  options.publishers = 1;
  const Counters total = counters_with({.acknowledged_late = 100}, options);
  EXPECT_GT(total.out_of_order_acks, 0U);
  EXPECT_EQ(total.acked, kMessages);
}

TEST(RunAgainstAWrongBroker, NamesARefusal) {
  const Counters total = counters_with({.refused = 100}, publish_options(MqttVersion::v5, 1));
  EXPECT_EQ(total.errors.at("PUBACK: quota exceeded"), 1U);
  EXPECT_EQ(total.acked, kMessages - 1);
}

TEST(RunAgainstAWrongBroker, NoticesAMessageThatIsNotDelivered) {
  const Counters total = counters_with({.undelivered = 100}, pair_options(0));
  EXPECT_EQ(total.undelivered, 1U);
}

TEST(RunAgainstAWrongBroker, NoticesThatTheLastMessageIsNotDelivered) {
  Options options = pair_options(1);
  options.publishers = options.subscribers = 1;
  EXPECT_EQ(counters_with({.undelivered = kMessages}, options).undelivered, 1U);
}

TEST(RunAgainstAWrongBroker, NoticesADeliveryThatIsRepeated) {
  EXPECT_EQ(counters_with({.delivered_twice = 100}, pair_options(1)).duplicates, 1U);
}

TEST(RunAgainstAWrongBroker, NoticesADeliveryToTheWrongSubscriber) {
  EXPECT_EQ(counters_with({.delivered_to_all = 100}, pair_options(1)).misrouted, 2U);
}

TEST(RunAgainstAWrongBroker, CountsWhatALostConnectionLeftUnanswered) {
  const Counters total =
      counters_with({.closes_after = 100}, publish_options(MqttVersion::v3_1_1, 1));
  EXPECT_GT(total.unanswered, 0U);
  EXPECT_FALSE(total.errors.empty());
  EXPECT_EQ(total.published, total.acked + total.unanswered);
}

TEST(RunAgainstAWrongBroker, SaysWhyItWasRefused) {
  const Counters total =
      counters_with({.connect_reason = 5}, publish_options(MqttVersion::v3_1_1, 1));
  EXPECT_TRUE(total.errors.contains("connection refused by the broker: not authorized"));
  EXPECT_EQ(total.published, 0U);
}

TEST(RunAgainstNoBroker, SaysThatTheConnectionIsRefused) {
  Options options = publish_options(MqttVersion::v3_1_1, 1);
  {
    const ScriptedBroker gone{MqttVersion::v3_1_1};
    options.target.port = gone.port();
  }
  const Counters total = run(options).total;
  EXPECT_TRUE(total.errors.contains("cannot connect: Connection refused"));
}

TEST(Reports, SayTheSameThingToPeopleAndPrograms) {
  ScriptedBroker broker{MqttVersion::v5, {.refused = 100}};
  const Options options = publish_options(MqttVersion::v5, 1);
  const Report report = run_against(broker, options);
  const std::string human = human_report(options, report);
  EXPECT_NE(human.find("acknowledged    499\n"), std::string::npos) << human;
  EXPECT_NE(human.find("1 × PUBACK: quota exceeded"), std::string::npos) << human;
  const std::string json = json_report(options, report);
  EXPECT_NE(json.find(R"("ok":false)"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("acked":499)"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("errors":{"PUBACK: quota exceeded":1})"), std::string::npos) << json;
}

}  // namespace
}  // namespace hub::bench
