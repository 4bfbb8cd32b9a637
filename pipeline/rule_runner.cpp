#include "pipeline/rule_runner.h"

#include <string>
#include <utility>

#include "base/log.h"
#include "pipeline/failure_names.h"

namespace hub {
namespace {

log::Throttle rule_trouble;

}  // namespace

RuleRunner::RuleRunner(std::shared_ptr<const RulesVersion> version, storage::BatchWriter& writer,
                       MessageAccounts& accounts, AckBarrier& barrier)
    : writer_(writer),
      accounts_(accounts),
      barrier_(barrier),
      rules_(std::make_unique<ShardRules>(std::move(version), 1)) {}

void RuleRunner::use(std::shared_ptr<const RulesVersion> version) {
  // A number of its own, also for a version that was in use before: its routes are made anew.
  auto next = std::make_unique<ShardRules>(std::move(version), rules_->number() + 1);
  accounts_.use(*next->version()->rules());
  rules_ = std::move(next);
}

bool RuleRunner::take(const SinkRoute& route, const MessageView& message,
                      broker::Publisher& publisher) {
  const ShardRules::Plans& plans = rules_->plans_of(route);
  accounts_.begin_message(message.client_id);
  for (const rules::RulePlan* plan : plans) accounts_.received(*plan);
  if (message.qos == Qos::at_most_once && writer_.congested()) {
    for (const rules::RulePlan* plan : plans) accounts_.ended(*plan, Ending::shed_storage_full);
    return false;
  }
  barrier_.begin_message();
  publisher_ = &publisher;
  rules_->run(plans, message, *this);
  publisher_ = nullptr;
  return barrier_.later();
}

void RuleRunner::dump(const rules::RulePlan& rule, const rules::DumpAction& action,
                      std::span<const Value> values, const MessageView& message) {
  const storage::RowTargetPtr& target = version()->target(action);
  run_.action = &action;
  if (const auto sequence = rule.sequence()) {
    const Value& number = values[*sequence];
    if (number.kind() == Value::Kind::integer) accounts_.seen(rule, number.as_integer());
  }
  const auto problem = writer_.append(target, values, message);
  if (problem) {
    dead_letter(rule, target->action, rules::RuleFailure::value_unfit, *problem, message);
    return;
  }
  barrier_.needs(ack_policy(action));
  run_.row = true;
}

void RuleRunner::republish(const rules::RulePlan&, const rules::RepublishAction& action,
                           std::string_view topic, std::string_view payload,
                           const MessageView& message) {
  ++republished_;
  run_.action = &action;
  barrier_.needs(ack_policy(action));
  publisher_->publish(topic, payload, action.qos(message), action.retain());
}

void RuleRunner::filtered(const rules::RulePlan& rule, const MessageView&) {
  end(rule, Ending::filtered);
}

void RuleRunner::finished(const rules::RulePlan& rule, const MessageView&) {
  end(rule, run_.dead_letter ? Ending::dead_lettered
            : run_.row       ? Ending::stored
                             : Ending::nothing_to_store);
}

void RuleRunner::end(const rules::RulePlan& rule, Ending ending) {
  accounts_.ended(rule, ending);
  run_ = {};
}

void RuleRunner::failed(const rules::RulePlan& rule, rules::RuleFailure failure,
                        std::string_view detail, const MessageView& message) {
  // What is done already is not to be done again when the dead letter is replayed.
  std::string action;
  if (run_.action) action = "after " + version()->action_name(rule, *run_.action);
  dead_letter(rule, action, failure, detail, message);
  end(rule, Ending::dead_lettered);
}

void RuleRunner::dead_letter(const rules::RulePlan& rule, std::string_view action,
                             rules::RuleFailure failure, std::string_view detail,
                             const MessageView& message) {
  barrier_.needs(AckPolicy::commit);
  run_.dead_letter = true;
  log::line(rule_trouble, log::Level::warning,
            "rule \"{}\": a message of client \"{}\" on {} is a dead letter: {}: {}", rule.name(),
            message.client_id, message.topic, name_of(failure), detail);
  writer_.append_dead_letter(rule.name(), action, name_of(failure), detail, message);
}

}  // namespace hub
