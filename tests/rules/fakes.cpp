#include "tests/rules/fakes.h"

#include <fmt/format.h>

#include <algorithm>

#include "rules/rule_plan.h"

namespace hub::rules::testing {
namespace {

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

ColumnType type_of(std::string_view name) {
  static const std::map<std::string_view, ColumnType> kTypes = {
      {"boolean", ColumnType::boolean},
      {"int2", ColumnType::int2},
      {"int4", ColumnType::int4},
      {"int8", ColumnType::int8},
      {"float4", ColumnType::float4},
      {"float8", ColumnType::float8},
      {"numeric", ColumnType::numeric},
      {"text", ColumnType::text},
      {"json", ColumnType::json},
      {"jsonb", ColumnType::jsonb},
      {"timestamptz", ColumnType::timestamptz},
      {"timestamp", ColumnType::timestamp},
      {"date", ColumnType::date},
      {"uuid", ColumnType::uuid},
      {"bytea", ColumnType::bytea},
  };
  const auto found = kTypes.find(name);
  return found == kTypes.end() ? ColumnType::other : found->second;
}

std::string shown(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null:
      return "null";
    case Value::Kind::boolean:
      return value.as_boolean() ? "true" : "false";
    case Value::Kind::integer:
      return fmt::format("{}", value.as_integer());
    case Value::Kind::number:
      return fmt::format("{}", value.as_number());
    case Value::Kind::text:
      return fmt::format("\"{}\"", value.as_text());
    case Value::Kind::json:
      return std::string(value.as_text());
  }
  return "";
}

}  // namespace

void FakeCatalogue::add(std::string_view definition) {
  TableSchema table;
  const std::size_t open = definition.find('(');
  table.schema = "public";
  table.name = trim(definition.substr(0, open));
  std::vector<std::string> key;
  std::string_view rest = definition.substr(open + 1, definition.rfind(')') - open - 1);
  while (!rest.empty()) {
    const std::string_view one = trim(rest.substr(0, rest.find(',')));
    rest.remove_prefix(std::min(
        rest.size(), rest.find(',') == std::string_view::npos ? rest.size() : rest.find(',') + 1));
    const std::size_t space = one.find(' ');
    std::string_view words = one.substr(space + 1);
    Column column;
    column.name = one.substr(0, space);
    column.type_name = words.substr(0, words.find(' '));
    column.type = type_of(column.type_name);
    column.not_null = words.find("not null") != std::string_view::npos;
    column.has_default = words.find("default") != std::string_view::npos;
    if (words.find(" key") != std::string_view::npos) key.push_back(column.name);
    table.columns.push_back(std::move(column));
  }
  if (!key.empty()) {
    std::sort(key.begin(), key.end());
    table.unique_keys.push_back(std::move(key));
  }
  tables_[table.name] = table;
}

std::optional<TableSchema> FakeCatalogue::table(std::string_view name) const {
  const auto found = tables_.find(name);
  if (found == tables_.end()) return std::nullopt;
  return found->second;
}

TestMessage::TestMessage(std::string topic, std::string payload)
    : topic_(std::move(topic)), padded_(std::move(payload)) {
  const std::size_t size = padded_.size();
  while (padded_.size() < size + kPayloadPadding) padded_ += "1\"}],9\\";
  view.id = {0x0123'4567'89ab'cdef, 7};
  view.received_at = Timestamp(std::chrono::microseconds(1'700'000'000'123'456));
  view.topic = topic_;
  view.payload = std::string_view(padded_).substr(0, size);
  view.client_id = "c1";
  view.username = "u1";
  view.qos = Qos::at_least_once;
}

void RecordingSink::dump(const RulePlan&, const DumpAction& action, std::span<const Value> values,
                         const MessageView&) {
  std::string line = "row " + action.table().name + " {";
  for (std::size_t i = 0; i < values.size(); ++i) {
    line +=
        fmt::format("{}\"{}\":{}", i == 0 ? "" : ",", action.columns()[i].name, shown(values[i]));
  }
  effects.push_back(line + "}");
}

void RecordingSink::republish(const RulePlan&, const RepublishAction& action,
                              std::string_view topic, std::string_view payload,
                              const MessageView& message) {
  effects.push_back(fmt::format("sends {} {}{}{}", topic, payload,
                                action.qos(message) == message.qos
                                    ? ""
                                    : fmt::format(" qos {}", static_cast<int>(action.qos(message))),
                                action.retain() ? " retained" : ""));
}

void RecordingSink::filtered(const RulePlan&, const MessageView&) {
  effects.emplace_back("filtered");
}

void RecordingSink::failed(const RulePlan&, RuleFailure failure, std::string_view detail,
                           const MessageView&) {
  effects.push_back(fmt::format("failed {} {}", name_of(failure), detail));
}

std::string_view name_of(RuleFailure failure) {
  switch (failure) {
    case RuleFailure::payload_not_json:
      return "payload_not_json";
    case RuleFailure::evaluation_failed:
      return "evaluation_failed";
    case RuleFailure::value_unfit:
      return "value_unfit";
    case RuleFailure::template_failed:
      return "template_failed";
  }
  return "";
}

std::string joined(const std::vector<Diagnostic>& problems) {
  std::string text;
  for (const Diagnostic& problem : problems) text += to_string(problem) + "\n";
  return text;
}

}  // namespace hub::rules::testing
