#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/rules_version.h"
#include "rules/action_sink.h"
#include "rules/evaluator.h"
#include "storage/dead_letter_store.h"
#include "storage/row_encoder.h"

namespace hub {

// Runs dead letters through the rules as they are now, and makes rows of them. Of a rule's actions
// only those count that the dead letter stands for; nothing is published.
class Replay final : private rules::ActionSink {
 public:
  explicit Replay(std::shared_ptr<const rules::RuleSet> rules);

  struct Result {
    std::vector<storage::DeadLetterStore::Row> rows;
    // Why it could not be tried: its rule, or the action of it, is not there.
    std::string missing;
    // How the message ends when the rows are stored; without it, why it failed again.
    std::int64_t storage::LedgerCounts::* ending = nullptr;
    std::string reason;
    std::string detail;
    std::size_t not_published = 0;  // republish actions that were left out
  };
  [[nodiscard]] Result run(const storage::DeadLetter& letter);

 private:
  void dump(const rules::RulePlan& rule, const rules::DumpAction& action,
            std::span<const Value> values, const MessageView& message) override;
  void republish(const rules::RulePlan& rule, const rules::RepublishAction& action,
                 std::string_view topic, std::string_view payload,
                 const MessageView& message) override;
  void filtered(const rules::RulePlan& rule, const MessageView& message) override;
  void failed(const rules::RulePlan& rule, rules::RuleFailure failure, std::string_view detail,
              const MessageView& message) override;

  // Whether the dead letter stands for that action of its rule.
  [[nodiscard]] bool wanted(const rules::RulePlan& rule, std::string_view action) const;
  void fail(std::string_view reason, std::string detail);

  RulesVersion rules_;
  std::vector<storage::RowEncoder> encoders_;  // by DumpAction::index()
  rules::Evaluator evaluator_;
  const storage::DeadLetter* letter_ = nullptr;  // while run()
  Result result_;
};

}  // namespace hub
