#include "hub/sys_topics.h"

#include <gtest/gtest.h>

#include <map>

#include "base/topic.h"

namespace hub {
namespace {

std::map<std::string, std::string> said(const HubReport& report) {
  std::map<std::string, std::string> out;
  for (auto& [topic, payload] : sys_messages(report)) out[topic] = payload;
  return out;
}

TEST(SysTopics, HaveMosquittosNamesWhereThereAreSome) {
  HubReport report;
  report.uptime_seconds = 61;
  report.broker.connections = 3;
  report.broker.sessions = 5;
  report.broker.counters.packets_received = 17;
  report.broker.counters.dropped_expired = 2;
  report.broker.counters.dropped_queue_full = 4;
  auto topics = said(report);
  EXPECT_EQ(topics["$SYS/broker/clients/connected"], "3");
  EXPECT_EQ(topics["$SYS/broker/clients/disconnected"], "2");
  EXPECT_EQ(topics["$SYS/broker/clients/total"], "5");
  EXPECT_EQ(topics["$SYS/broker/messages/received"], "17");
  EXPECT_EQ(topics["$SYS/broker/publish/messages/dropped"], "6");
  EXPECT_EQ(topics["$SYS/broker/uptime"], "61 seconds");
  EXPECT_EQ(topics["$SYS/hub/broker/dropped_queue_full"], "4");
}

TEST(SysTopics, ShowTheAccountOfEachRule) {
  MessageAccounts::RuleAccount account;
  account.rule = "a/b +#%\n";
  account.taken = {.received = 3, .committed = 2, .filtered = 1};
  account.booked = {.received = 2, .committed = 1, .filtered = 1};
  account.rows = {.rows = 1};
  HubReport report;
  report.shards.resize(2);
  report.shards[0].sink.rules = {account};
  report.shards[1].sink.rules = {account};
  report.shards[1].sink.database_away = true;
  auto topics = said(report);
  EXPECT_EQ(topics["$SYS/hub/ledger/a%2Fb %2B%23%25%0A"],
            R"({"received":6,"committed":2,"filtered":2,"dead_lettered":0,"nothing_to_store":0,)"
            R"("shed_storage_full":0,"pending":2,"rows":2,"duplicates":0})");
  EXPECT_EQ(topics["$SYS/hub/database"], "away");
  for (const auto& [topic, payload] : topics) {
    EXPECT_TRUE(is_valid_topic_name(topic)) << topic;
    EXPECT_FALSE(payload.empty()) << topic;
  }
}

TEST(SysTopics, SayWhetherTheSpoolIsInUse) {
  HubReport report;
  report.shards.resize(2);
  EXPECT_FALSE(said(report).contains("$SYS/hub/spool/state"));
  report.spool.emplace();
  EXPECT_EQ(said(report)["$SYS/hub/spool/state"], "empty");
  report.shards[1].sink.spooled = {{}, 1, 3, 70};
  EXPECT_EQ(said(report)["$SYS/hub/spool/state"], "in use");
  EXPECT_EQ(said(report)["$SYS/hub/spool/messages"], "3");
  report.shards[0].sink.spool_refuses = true;
  EXPECT_EQ(said(report)["$SYS/hub/spool/state"], "refusing");
}

}  // namespace
}  // namespace hub
