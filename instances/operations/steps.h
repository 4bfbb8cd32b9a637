#pragma once

#include <span>
#include <stdexcept>
#include <string_view>

#include "instances/core/operations.h"
#include "instances/operations/worker.h"

// What each kind of operation consists of.

namespace hub::instances {

// A failure that another attempt will not mend.
class HopelessError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Step {
  std::string_view name;
  int progress;            // per cent, when it is done
  std::string_view state;  // the resource's while it runs; empty leaves it
  void (*forth)(const Machinery&, const Operation&);
  void (*back)(const Machinery&, const Operation&);  // null: nothing to undo
};

struct Plan {
  std::span<const Step> steps;
  // In the transaction that ends the operation.
  void (*done)(const Call&, const Operation&);
  // The same when it failed, and all is undone; null: it is never given up.
  void (*failed)(const Call&, const Operation&, std::string_view step);
  void (*set_state)(const Call&, const Operation&, std::string_view state, int progress);
};

[[nodiscard]] const Plan& plan_of(OperationKind kind);

// Each kind of resource has its plans in a file of its own.
[[nodiscard]] const Plan& hub_plan(OperationKind kind);
[[nodiscard]] const Plan& rds_plan(OperationKind kind);
[[nodiscard]] const Plan& network_plan(OperationKind kind);

}  // namespace hub::instances
