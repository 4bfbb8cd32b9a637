#include "pipeline/rules_version.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace hub {
namespace {

storage::OnConflict on_conflict(rules::OnConflict wanted) {
  return wanted == rules::OnConflict::update ? storage::OnConflict::update
                                             : storage::OnConflict::ignore;
}

std::vector<std::string> names_of_actions(const rules::RulePlan& rule) {
  std::vector<std::string> names;
  std::map<std::string, int> uses;
  for (const rules::Action& action : rule.actions()) {
    const auto* const dump = std::get_if<rules::DumpAction>(&action);
    std::string name = dump != nullptr ? dump->name() : "republish";
    const int use = ++uses[name];
    if (use > 1) name += fmt::format(" #{}", use);
    names.push_back(std::move(name));
  }
  return names;
}

storage::RowTargetPtr make_target(const rules::RulePlan& rule, const rules::DumpAction& dump,
                                  const std::string& action_name) {
  storage::RowTarget target;
  target.rule = rule.name();
  target.action = action_name;
  target.schema = dump.table().schema;
  target.table = dump.table().name;
  target.columns = dump.columns();
  target.key = dump.key();
  target.on_conflict = on_conflict(dump.on_conflict());
  return std::make_shared<const storage::RowTarget>(std::move(target));
}

}  // namespace

RulesVersion::RulesVersion(std::shared_ptr<const rules::RuleSet> rules)
    : rules_(std::move(rules)), targets_(rules_->dump_actions().size()) {
  for (std::size_t i = 0; i < rules_->size(); ++i) {
    const rules::RulePlan& rule = rules_->plan(i);
    const auto& names = action_names_.emplace_back(names_of_actions(rule));
    for (std::size_t j = 0; j < names.size(); ++j) {
      const auto* const dump = std::get_if<rules::DumpAction>(&rule.actions()[j]);
      if (dump != nullptr) targets_[dump->index()] = make_target(rule, *dump, names[j]);
    }
  }
}

const std::string& RulesVersion::action_name(const rules::RulePlan& rule, AnyAction action) const {
  const auto is_it = [action](const rules::Action& candidate) {
    return std::visit([action](const auto& kind) { return action == AnyAction(&kind); }, candidate);
  };
  const auto& actions = rule.actions();
  const auto found = std::find_if(actions.begin(), actions.end(), is_it);
  return action_names(rule)[static_cast<std::size_t>(found - actions.begin())];
}

}  // namespace hub
