#include "rules/sql/runtime.h"

#include <utility>

namespace hub::rules::sql {

Value Runtime::fail(RuleFailure failure, std::string detail) {
  if (!failed_) {
    failed_ = true;
    failure_ = failure;
    detail_ = std::move(detail);
  }
  return Value::null();
}

}  // namespace hub::rules::sql
