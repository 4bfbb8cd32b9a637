#pragma once

#include <string_view>

#include "rules/action_sink.h"

namespace hub {

// The reason of a dead letter that a rule's failure makes.
[[nodiscard]] constexpr std::string_view name_of(rules::RuleFailure failure) noexcept {
  switch (failure) {
    case rules::RuleFailure::payload_not_json:
      return "payload_not_json";
    case rules::RuleFailure::evaluation_failed:
      return "evaluation_failed";
    case rules::RuleFailure::value_unfit:
      return "value_unfit";
    case rules::RuleFailure::template_failed:
      return "template_failed";
  }
  return "unknown";
}

}  // namespace hub
