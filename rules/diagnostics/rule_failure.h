#pragma once

#include <cstdint>

namespace hub::rules {

// Why a rule could not do what it says for one message. Each is a counter's name and the
// dead-letter table's reason.
enum class RuleFailure : std::uint8_t {
  payload_not_json,   // the rule reads payload.…, and the payload is not one JSON value
  evaluation_failed,  // a function or an operator got a value that it cannot take
  value_unfit,        // a value that its column cannot store
  template_failed,    // a republish topic that is not a valid topic name
};

}  // namespace hub::rules
