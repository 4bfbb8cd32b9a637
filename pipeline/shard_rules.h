#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "base/sink_route.h"
#include "pipeline/rules_version.h"
#include "rules/evaluator.h"

namespace hub {

// A version of the rules on one shard: which rules topics match, the memory that the evaluator
// works in, and the number by which the shard's caches know the version. It is exchanged as a
// whole.
//
// A shard's; every call on its thread.
class ShardRules {
 public:
  using Plans = std::vector<const rules::RulePlan*>;

  // version: not null. number: none that another version has had on this shard.
  ShardRules(std::shared_ptr<const RulesVersion> version, std::uint64_t number);

  [[nodiscard]] const std::shared_ptr<const RulesVersion>& version() const noexcept {
    return version_;
  }
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

  // The rules that match a topic; null when none does. Lives as long as this object.
  // Cost: grows with the number of filters; the caller caches it under number().
  [[nodiscard]] const SinkRoute* route(std::string_view topic);

  // REQUIRES: route() of this object, and of no other version, has returned the route.
  [[nodiscard]] const Plans& plans_of(const SinkRoute& route) const;
  // As rules::Evaluator has it, with plans of this version.
  void run(const Plans& plans, const MessageView& message, rules::ActionSink& sink) {
    evaluator_.run(message, plans, sink);
  }

 private:
  struct MatchedRules final : SinkRoute {
    MatchedRules(Plans matched, std::uint64_t of) : plans(std::move(matched)), number(of) {}
    const Plans plans;
    const std::uint64_t number;
  };

  std::shared_ptr<const RulesVersion> version_;
  const std::uint64_t number_;
  rules::Evaluator evaluator_;
  // The sets of rules that topics were found to match: few, however many topics there are.
  std::map<Plans, std::unique_ptr<const MatchedRules>> routes_;
};

}  // namespace hub
