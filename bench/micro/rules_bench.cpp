// What one message costs in the rule engine, and what reading its payload costs beside simdjson.
// Each benchmark checks its answer before it is timed.

#include <benchmark/benchmark.h>
#include <simdjson.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "rules/evaluator.h"
#include "rules/payload/json_scanner.h"
#include "rules/rule_file.h"
#include "rules/rule_set.h"

namespace hub::rules {
namespace {

constexpr std::string_view kPayload =
    R"({"temperature": 21.53, "humidity": 40.25, "pressure": 1013, "battery": 3.71, "state": "on", "seq": 123456789})";

constexpr std::string_view kClimate = R"toml(
[[rule]]
name = "climate"
sql = '''
  SELECT clientid AS device, timestamp AS ts, payload.temperature AS temperature,
         payload.humidity AS humidity
  FROM "devices/+/telemetry"
  WHERE payload.temperature > -100
'''
[[rule.action]]
type = "dump"
table = "climate"
)toml";

class Tables final : public Catalogue {
 public:
  [[nodiscard]] std::optional<TableSchema> table(std::string_view name) const override {
    TableSchema table{
        .schema = "public", .name = std::string(name), .columns = {}, .unique_keys = {}};
    const auto add = [&](const char* column, ColumnType type) {
      Column& added = table.columns.emplace_back();
      added.name = column;
      added.type = type;
    };
    add("device", ColumnType::text);
    if (name == "climate") {
      add("ts", ColumnType::timestamptz);
      add("temperature", ColumnType::float8);
      add("humidity", ColumnType::float8);
    } else {
      add("received_at", ColumnType::timestamptz);
      add("topic", ColumnType::text);
      add("payload", ColumnType::jsonb);
    }
    return table;
  }
};

class CountingSink final : public ActionSink {
 public:
  std::size_t rows = 0;
  double sum = 0;

  void dump(const RulePlan&, const DumpAction&, std::span<const Value> values,
            const MessageView&) override {
    ++rows;
    if (values[2].kind() == Value::Kind::number) sum += values[2].as_number();
    benchmark::DoNotOptimize(values.data());
  }
  void republish(const RulePlan&, const RepublishAction&, std::string_view, std::string_view,
                 const MessageView&) override {}
  void filtered(const RulePlan&, const MessageView&) override {}
  void failed(const RulePlan&, RuleFailure, std::string_view detail, const MessageView&) override {
    std::cerr << detail << '\n';
    std::abort();
  }
};

std::string padded(std::string_view payload) {
  return std::string(payload) + std::string(kPayloadPadding, ' ');
}

void run_rule(benchmark::State& state, const RuleFiles& files) {
  const Compilation compiled = compile_rules(files.rules, Tables());
  if (compiled.rules == nullptr) std::abort();
  const std::string payload = padded(kPayload);
  MessageView message;
  message.topic = "devices/d1/telemetry";
  message.client_id = "d1";
  message.payload = std::string_view(payload).substr(0, kPayload.size());
  const std::vector<const RulePlan*> plans = compiled.rules->match(message.topic);
  Evaluator evaluator(compiled.rules);
  CountingSink sink;
  evaluator.run(message, plans, sink);
  if (sink.rows != 1) std::abort();
  for (auto _ : state) evaluator.run(message, plans, sink);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kPayload.size()));
}

void BM_ClimateRule(benchmark::State& state) { run_rule(state, parse_rules(kClimate, "bench")); }
BENCHMARK(BM_ClimateRule);

void BM_DefaultRule(benchmark::State& state) { run_rule(state, default_rules()); }
BENCHMARK(BM_DefaultRule);

// The payload alone: two fields, everything checked.
void BM_Scanner(benchmark::State& state) {
  PayloadPaths paths;
  const std::uint32_t temperature = paths.add({{"temperature", 0}});
  const std::uint32_t humidity = paths.add({{"humidity", 0}});
  JsonScanner scanner(paths);
  const std::string payload = padded(kPayload);
  const std::string_view text = std::string_view(payload).substr(0, kPayload.size());
  if (!scanner.scan(text) || scanner.field(temperature)->value.as_number() != 21.53) std::abort();
  double sum = 0;
  for (auto _ : state) {
    if (!scanner.scan(text)) std::abort();
    sum += scanner.field(temperature)->value.as_number();
    sum += scanner.field(humidity)->value.as_number();
  }
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(BM_Scanner);

// The same with simdjson's DOM: everything checked, too.
void BM_SimdjsonDom(benchmark::State& state) {
  simdjson::dom::parser parser;
  const std::string payload = padded(kPayload);
  double sum = 0;
  for (auto _ : state) {
    const auto document = parser.parse(payload.data(), kPayload.size(), false);
    sum += document["temperature"].get_double().value();
    sum += document["humidity"].get_double().value();
  }
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(BM_SimdjsonDom);

// With simdjson's on-demand parser, which does not check what it is not asked for.
void BM_SimdjsonOnDemandUnchecked(benchmark::State& state) {
  simdjson::ondemand::parser parser;
  const std::string payload = padded(kPayload);
  double sum = 0;
  for (auto _ : state) {
    auto document = parser.iterate(payload.data(), kPayload.size(), payload.size());
    sum += document["temperature"].get_double().value();
    sum += document["humidity"].get_double().value();
  }
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(BM_SimdjsonOnDemandUnchecked);

}  // namespace
}  // namespace hub::rules
