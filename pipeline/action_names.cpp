#include "pipeline/action_names.h"

#include <fmt/format.h>

#include <map>

namespace hub {

std::vector<std::string> action_names(const rules::RulePlan& rule) {
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

}  // namespace hub
