// Any text is a statement, a NUL, and a payload: it is compiled, and run on that payload.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "rules/evaluator.h"
#include "rules/rule_set.h"

namespace {

using namespace hub;
using namespace hub::rules;

// One table that has whatever columns a rule may name, as far as the corpus does.
class Tables final : public Catalogue {
 public:
  [[nodiscard]] std::optional<TableSchema> table(std::string_view) const override {
    TableSchema table{.schema = "public", .name = "t", .columns = {}, .unique_keys = {}};
    for (int type = 0; type <= static_cast<int>(ColumnType::other); ++type) {
      Column& column = table.columns.emplace_back();
      column.name = std::string(1, static_cast<char>('a' + type));
      column.type = static_cast<ColumnType>(type);
      table.unique_keys.push_back({column.name});
    }
    return table;
  }
};

class CheckingSink final : public ActionSink {
 public:
  void dump(const RulePlan&, const DumpAction& action, std::span<const Value> values,
            const MessageView&) override {
    if (values.size() != action.columns().size()) std::abort();
    touch(values);
  }
  void republish(const RulePlan&, const RepublishAction&, std::string_view topic,
                 std::string_view payload, const MessageView&) override {
    if (topic.empty()) std::abort();
    bytes_ += payload.size();
  }
  void filtered(const RulePlan&, const MessageView&) override {}
  void failed(const RulePlan&, RuleFailure, std::string_view detail, const MessageView&) override {
    if (detail.empty()) std::abort();
  }

 private:
  // Reads every byte of every text, so that the sanitizer sees one that is gone.
  void touch(std::span<const Value> values) {
    for (const Value& value : values) {
      if (value.kind() != Value::Kind::text && value.kind() != Value::Kind::json) continue;
      for (const char c : value.as_text()) bytes_ += static_cast<unsigned char>(c);
    }
  }

  volatile std::size_t bytes_ = 0;
};

RuleSource source(const std::string& sql) {
  RuleSource rule;
  rule.name = "fuzz";
  rule.sql = SourceText(sql, {{}});
  DumpSource dump;
  dump.table = SourceText("t", {{}});
  rule.actions.emplace_back(std::move(dump));
  return rule;
}

RuleSource republishing(const std::string& sql) {
  RuleSource rule = source(sql);
  RepublishSource republish;
  republish.topic = SourceText("out", {{}});
  rule.actions = {std::move(republish)};
  return rule;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = std::min(input.find('\0'), size);
  const std::string sql(input.substr(0, cut));
  std::string payload(cut < size ? input.substr(cut + 1) : std::string_view("{}"));
  const std::size_t payload_bytes = payload.size();
  payload.resize(payload_bytes + kPayloadPadding, '"');

  MessageView message;
  message.topic = "devices/d1/telemetry";
  message.payload = std::string_view(payload).substr(0, payload_bytes);
  message.client_id = "d1";
  for (const RuleSource& rule : {source(sql), republishing(sql)}) {
    const Compilation compiled = compile_rules(std::span(&rule, 1), Tables());
    if ((compiled.rules == nullptr) == compiled.problems.empty()) std::abort();
    if (compiled.rules == nullptr) continue;
    Evaluator evaluator(compiled.rules);
    CheckingSink sink;
    const std::vector<const RulePlan*> plans = {&compiled.rules->plan(0)};
    evaluator.run(message, plans, sink);
  }
  return 0;
}
