// What a message costs on its way through the rules, beside what the writer does with it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "pipeline/rule_runner.h"
#include "rules/rule_file.h"
#include "tests/pipeline/recording_writer.h"
#include "tests/support/allocation_count.h"

namespace hub {
namespace {

class OneTable final : public rules::Catalogue {
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

class NobodyListens final : public broker::SinkListener, public broker::Publisher {
 public:
  void on_batch_closing() override {}
  void on_committed(std::span<const AckToken>) override {}
  void publish(std::string_view, std::string_view, Qos, bool) override {}
};

std::shared_ptr<const RulesVersion> three_rules() {
  constexpr std::string_view kRules = R"(
[[rule]]
name = "row"
sequence = "n"
sql = 'SELECT payload.n AS n FROM "t/#"'
[[rule.action]]
type = "dump"
table = "t"

[[rule]]
name = "filtered"
sql = 'SELECT payload.n AS n FROM "t/#" WHERE payload.n < 0'
[[rule.action]]
type = "dump"
table = "t"

[[rule]]
name = "passed on"
sql = 'SELECT payload.n AS n FROM "t/#"'
[[rule.action]]
type = "republish"
topic = "out/${n}"
)";
  return std::make_shared<const RulesVersion>(
      rules::compile_rules(rules::parse_rules(kRules, "rules.toml").rules, OneTable{}).rules);
}

TEST(PipelineCost, AMessageAllocatesNothingInTheSteadyStateAlsoAfterAnExchange) {
  const auto version = three_rules();
  test::RecordingWriter writer;
  NobodyListens others;
  AckBarrier barrier{writer, others};
  MessageAccounts accounts{*version->rules()};
  RuleRunner runner{version, writer, accounts, barrier};
  const std::vector<std::string> devices{"d1", "d2", "d3"};
  std::int64_t n = 0;
  const auto allocations_of_messages = [&](int count) {
    const SinkRoute& route = *runner.route("t/1");
    const std::size_t before = test::allocations_of_this_thread();
    for (; count > 0; --count, ++n) {
      char payload[32 + kPayloadPadding];
      const char* const end = fmt::format_to(payload, "{{\"n\": {}}}", n);
      MessageView message;
      message.topic = "t/1";
      message.client_id = devices[static_cast<std::size_t>(n) % devices.size()];
      message.payload = {payload, static_cast<std::size_t>(end - payload)};
      message.qos = Qos::at_least_once;
      EXPECT_TRUE(runner.take(route, message, others));
    }
    return test::allocations_of_this_thread() - before;
  };
  allocations_of_messages(1'000);
  EXPECT_EQ(allocations_of_messages(10'000), 0u);
  runner.use(three_rules());
  allocations_of_messages(1'000);
  EXPECT_EQ(allocations_of_messages(10'000), 0u);
  EXPECT_EQ(writer.rows_of.at("t"), 22'000);
}

}  // namespace
}  // namespace hub
