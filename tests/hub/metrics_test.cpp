#include "hub/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <string>

#include "hub/metrics_server.h"

namespace hub {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

HubReport hub_report() {
  HubReport out;
  out.uptime_seconds = 5;
  out.broker.counters.dropped_queue_full = 3;
  out.shards.resize(2);
  for (HubReport::Shard& shard : out.shards) {
    storage::WriterCounters counters;
    counters.rows.add(4);
    counters.for_each([&](std::string_view name, std::uint64_t value) {
      shard.writer.emplace_back(name, value);
    });
    MessageAccounts::RuleAccount account;
    account.rule = "a \"b\" \\ c\nd";
    account.taken = {.received = 3, .committed = 2, .shed_storage_full = 1};
    account.booked = {.received = 1, .committed = 0, .dead_lettered = 1};
    account.rows = {.rows = 7, .duplicates = 1};
    shard.sink.rules = {account};
    shard.sink.held_bytes = 100;
  }
  return out;
}

TEST(Metrics, EachLineIsAsPrometheusReadsIt) {
  const std::string text = write_metrics(hub_report());
  const std::regex line(
      R"((# TYPE [a-z_]+ (counter|gauge)|[a-z_]+(\{[a-z]+="([^"\\]|\\.)*"(,[a-z]+="[^"]*")*\})? -?[0-9]+)\n)");
  std::size_t matched = 0;
  for (std::sregex_iterator at(text.begin(), text.end(), line), end; at != end; ++at) {
    matched += static_cast<std::size_t>(at->length());
  }
  EXPECT_EQ(matched, text.size()) << text;
}

// As while the rules are exchanged: one shard has those of before, the other those of after.
TEST(Metrics, RulesAreSummedByNameWhereShardsDiffer) {
  const auto account = [](const char* rule, std::int64_t received) {
    MessageAccounts::RuleAccount out;
    out.rule = rule;
    out.taken = {.received = received};
    return out;
  };
  HubReport differing;
  differing.shards.resize(2);
  differing.shards[0].sink.rules = {account("a", 1), account("b", 2)};
  differing.shards[1].sink.rules = {account("b", 3), account("c", 4)};
  std::map<std::string, std::int64_t> sums;
  for (const auto& rule : differing.rules()) sums[rule.rule] = rule.taken.received;
  EXPECT_EQ(sums, (std::map<std::string, std::int64_t>{{"a", 1}, {"b", 5}, {"c", 4}}));
}

TEST(Metrics, DropsShedsAndRulesHaveTheirNames) {
  const std::string text = write_metrics(hub_report());
  EXPECT_THAT(text, HasSubstr("\niothub_broker_dropped_queue_full_total 3\n"));
  EXPECT_THAT(text, HasSubstr("\niothub_writer_rows_total{shard=\"1\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("\niothub_writer_held_bytes 200\n"));
  EXPECT_THAT(text, HasSubstr("\niothub_rule_messages_total{rule=\"a \\\"b\\\" \\\\ c\\nd\",state="
                              "\"shed_storage_full\"} 2\n"));
  EXPECT_THAT(text, HasSubstr(",state=\"dead_lettered\"} 2\n"));
  EXPECT_THAT(text,
              HasSubstr("\niothub_rule_messages_pending{rule=\"a \\\"b\\\" \\\\ c\\nd\"} 2\n"));
  EXPECT_THAT(text, HasSubstr(",state=\"duplicate\"} 2\n"));
}

TEST(Metrics, ShowTheSpoolOfAHubThatHasOne) {
  HubReport hub = hub_report();
  EXPECT_THAT(write_metrics(hub), Not(HasSubstr("iothub_spool_messages")));
  hub.spool = storage::SpoolStatus{5, 9, 2, 2, {}};
  hub.shards[0].sink.spooled = {{}, 1, 3, 70};
  hub.shards[1].sink.spooled = {{}, 2, 4, 30};
  hub.shards[1].sink.spool_refuses = true;
  const std::string text = write_metrics(hub);
  EXPECT_THAT(text, HasSubstr("\niothub_spool_messages 7\n"));
  EXPECT_THAT(text, HasSubstr("\niothub_spool_bytes 100\n"));
  EXPECT_THAT(text, HasSubstr("\niothub_spool_disk_bytes 5\n"));
  EXPECT_THAT(text, HasSubstr("\niothub_spool_refusing_shards 1\n"));
}

TEST(MetricsServer, AnswersWhatItHas) {
  HubReport hub = hub_report();
  const auto ask = [&](std::string method, std::string path) {
    http::Request request;
    request.method = std::move(method);
    request.path = std::move(path);
    return answer_metrics(request, hub);
  };
  EXPECT_EQ(ask("GET", "/metrics").body, write_metrics(hub));
  EXPECT_EQ(ask("GET", "/health").status, 200);
  hub.shards[1].sink.database_away = true;
  EXPECT_EQ(ask("GET", "/health").status, 503);
  EXPECT_EQ(ask("GET", "/metrics").status, 200);
  EXPECT_EQ(ask("POST", "/metrics").status, 405);
  EXPECT_EQ(ask("GET", "/").status, 404);
}

}  // namespace
}  // namespace hub
