#pragma once

#include <array>
#include <string_view>

#include "rules/diagnostics/rule_failure.h"

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

// A replay's way to say that the database refused a row, or the whole table: as the batch writer's.
inline constexpr std::string_view kRowRefused = "row_refused";
inline constexpr std::string_view kTableUnusable = "table_unusable";

// All that a dead letter can have: docs/dead-letters.md.
[[nodiscard]] inline const std::array<std::string_view, 6>& dead_letter_reasons() {
  static constexpr std::array<std::string_view, 6> kNames{
      name_of(rules::RuleFailure::payload_not_json),
      name_of(rules::RuleFailure::evaluation_failed),
      name_of(rules::RuleFailure::value_unfit),
      name_of(rules::RuleFailure::template_failed),
      kRowRefused,
      kTableUnusable};
  return kNames;
}

}  // namespace hub
