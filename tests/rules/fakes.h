#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/message.h"
#include "rules/action_sink.h"
#include "rules/catalogue.h"
#include "rules/diagnostics/diagnostic.h"

namespace hub::rules::testing {

// Tables from text: "climate (device text not null, ts timestamptz default, t float8)". The columns
// with the word "key" are those of a unique index.
class FakeCatalogue final : public Catalogue {
 public:
  void add(std::string_view definition);
  [[nodiscard]] std::optional<TableSchema> table(std::string_view name) const override;

 private:
  std::map<std::string, TableSchema, std::less<>> tables_;
};

// A message whose payload is followed by bytes that would mislead whoever takes them for JSON.
class TestMessage {
 public:
  TestMessage(std::string topic, std::string payload);

  MessageView view;

 private:
  std::string topic_;
  std::string padded_;
};

// Writes each effect as a line:
//   row climate {"device":"d1","t":21.5}
//   sends alerts/d1 {"device":"d1"}          (and " qos 2", " retained" where they differ)
//   filtered
//   failed payload_not_json the payload is not JSON: …
class RecordingSink final : public ActionSink {
 public:
  std::vector<std::string> effects;

  void dump(const RulePlan& rule, const DumpAction& action, std::span<const Value> values,
            const MessageView& message) override;
  void republish(const RulePlan& rule, const RepublishAction& action, std::string_view topic,
                 std::string_view payload, const MessageView& message) override;
  void filtered(const RulePlan& rule, const MessageView& message) override;
  void failed(const RulePlan& rule, RuleFailure failure, std::string_view detail,
              const MessageView& message) override;
};

[[nodiscard]] std::string_view name_of(RuleFailure failure);
[[nodiscard]] std::string joined(const std::vector<Diagnostic>& problems);

}  // namespace hub::rules::testing
