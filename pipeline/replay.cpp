#include "pipeline/replay.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/failure_names.h"

namespace hub {

using storage::LedgerCounts;

Replay::Replay(std::shared_ptr<const rules::RuleSet> rules)
    : rules_(std::move(rules)), evaluator_(rules_.rules()) {
  for (const storage::RowTargetPtr& target : rules_.targets()) {
    encoders_.emplace_back(target->columns);
  }
}

Replay::Result Replay::run(const storage::DeadLetter& letter) {
  letter_ = &letter;
  result_ = {};
  const rules::RulePlan* plan = nullptr;
  const rules::RuleSet& rules = *rules_.rules();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (rules.plan(i).name() == letter.rule) plan = &rules.plan(i);
  }
  if (plan == nullptr) {
    result_.missing = fmt::format("there is no rule \"{}\"", letter.rule);
    return std::move(result_);
  }
  const std::vector<std::string>& names = rules_.action_names(*plan);
  constexpr std::string_view kAfter = "after ";
  const std::string_view action = letter.action;
  const std::string_view named = action.starts_with(kAfter) ? action.substr(kAfter.size()) : action;
  if (!named.empty() && std::find(names.begin(), names.end(), named) == names.end()) {
    result_.missing = fmt::format("the rule \"{}\" has no action \"{}\"", letter.rule, named);
    return std::move(result_);
  }
  std::string padded;
  const rules::RulePlan* const plans[] = {plan};
  evaluator_.run(letter.message(padded), plans, *this);
  if (result_.ending == nullptr && result_.reason.empty()) {
    result_.ending =
        result_.rows.empty() ? &LedgerCounts::nothing_to_store : &LedgerCounts::committed;
  }
  return std::move(result_);
}

bool Replay::wanted(const rules::RulePlan& rule, std::string_view action) const {
  const std::string& meant = letter_->action;
  if (meant.empty() || meant == action) return true;
  if (!meant.starts_with("after ")) return false;
  const std::vector<std::string>& names = rules_.action_names(rule);
  const auto position = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) - names.begin();
  };
  return position(action) > position(std::string_view(meant).substr(6));
}

void Replay::fail(std::string_view reason, std::string detail) {
  result_.reason = reason;
  result_.detail = std::move(detail);
  result_.rows.clear();
}

void Replay::dump(const rules::RulePlan& rule, const rules::DumpAction& action,
                  std::span<const Value> values, const MessageView&) {
  const storage::RowTargetPtr& target = rules_.target(action);
  if (!result_.reason.empty() || !wanted(rule, target->action)) return;
  storage::ByteBuffer bytes;
  if (auto problem = encoders_[action.index()].append(values, bytes)) {
    fail(name_of(rules::RuleFailure::value_unfit), *std::move(problem));
    return;
  }
  result_.rows.push_back({target, std::string(bytes.view())});
}

void Replay::republish(const rules::RulePlan&, const rules::RepublishAction&, std::string_view,
                       std::string_view, const MessageView&) {
  const bool one_action = !letter_->action.empty() && !letter_->action.starts_with("after ");
  if (!one_action) ++result_.not_published;
}

void Replay::filtered(const rules::RulePlan&, const MessageView&) {
  result_.ending = &LedgerCounts::filtered;
}

void Replay::failed(const rules::RulePlan&, rules::RuleFailure failure, std::string_view detail,
                    const MessageView&) {
  fail(name_of(failure), std::string(detail));
}

}  // namespace hub
