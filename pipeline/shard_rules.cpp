#include "pipeline/shard_rules.h"

#include <cassert>
#include <utility>

namespace hub {

ShardRules::ShardRules(std::shared_ptr<const RulesVersion> version, std::uint64_t number)
    : version_(std::move(version)), number_(number), evaluator_(version_->rules()) {}

const SinkRoute* ShardRules::route(std::string_view topic) {
  Plans plans = version_->rules()->match(topic);
  if (plans.empty()) return nullptr;
  std::unique_ptr<const MatchedRules>& known = routes_[plans];
  if (!known) known = std::make_unique<const MatchedRules>(std::move(plans), number_);
  return known.get();
}

const ShardRules::Plans& ShardRules::plans_of(const SinkRoute& route) const {
  const auto& matched = static_cast<const MatchedRules&>(route);
  assert(matched.number == number_);
  return matched.plans;
}

}  // namespace hub
