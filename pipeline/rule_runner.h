#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "broker/publish_sink.h"
#include "pipeline/ack_barrier.h"
#include "pipeline/message_accounts.h"
#include "pipeline/rules_version.h"
#include "pipeline/shard_rules.h"
#include "rules/action_sink.h"
#include "storage/batch_writer.h"

namespace hub {

// Runs the rules on one message after the other, and knows what each rule does with it: rows and
// dead letters go to the writer, what is republished to the publisher, how the message ended to the
// accounts, and what its acknowledgement has to wait for to the barrier.
//
// A shard's; every call on its thread. Writer, accounts and barrier outlive it.
class RuleRunner final : private rules::ActionSink {
 public:
  // accounts: of `version`'s rules.
  RuleRunner(std::shared_ptr<const RulesVersion> version, storage::BatchWriter& writer,
             MessageAccounts& accounts, AckBarrier& barrier);

  // As broker::PublishSink has it.
  [[nodiscard]] const SinkRoute* route(std::string_view topic) { return rules_->route(topic); }
  [[nodiscard]] std::uint64_t route_version() const noexcept { return rules_->number(); }
  [[nodiscard]] bool take(const SinkRoute& route, const MessageView& message,
                          broker::Publisher& publisher);

  // Runs that version from the next message on, and the accounts follow. Routes of the version
  // before are gone; what its rules gave to the writer goes its way. When it throws, nothing has
  // changed.
  // REQUIRES: no take() is under way.
  void use(std::shared_ptr<const RulesVersion> version);
  [[nodiscard]] const std::shared_ptr<const RulesVersion>& version() const noexcept {
    return rules_->version();
  }

  // Messages that rules have published since the start.
  [[nodiscard]] std::uint64_t republished() const noexcept { return republished_; }

 private:
  // What the rule that runs did so far with the message that take() has.
  struct Run {
    bool row = false;
    bool dead_letter = false;
    std::optional<RulesVersion::AnyAction> action;  // the last one that acted
  };

  // rules::ActionSink, while take() runs the rules
  void dump(const rules::RulePlan& rule, const rules::DumpAction& action,
            std::span<const Value> values, const MessageView& message) override;
  void republish(const rules::RulePlan& rule, const rules::RepublishAction& action,
                 std::string_view topic, std::string_view payload,
                 const MessageView& message) override;
  void filtered(const rules::RulePlan& rule, const MessageView& message) override;
  void failed(const rules::RulePlan& rule, rules::RuleFailure failure, std::string_view detail,
              const MessageView& message) override;
  void finished(const rules::RulePlan& rule, const MessageView& message) override;

  void dead_letter(const rules::RulePlan& rule, std::string_view action, rules::RuleFailure failure,
                   std::string_view detail, const MessageView& message);
  // The rule's last word on the message.
  void end(const rules::RulePlan& rule, Ending ending);

  storage::BatchWriter& writer_;
  MessageAccounts& accounts_;
  AckBarrier& barrier_;
  std::unique_ptr<ShardRules> rules_;
  std::uint64_t republished_ = 0;

  broker::Publisher* publisher_ = nullptr;  // while take() runs
  Run run_;
};

}  // namespace hub
