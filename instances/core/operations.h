#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "instances/core/call.h"

// Work on the machine. It is written down in the transaction that decides on it, and carried out
// afterwards by a Worker (operations/worker.h), step by step, as often as it takes.

namespace hub::instances {

enum class OperationKind : std::uint8_t {
  hub_create,
  hub_update,
  hub_suspend,
  hub_resume,
  hub_delete,
  rds_create,
  rds_register,  // a server that is not ours
  rds_init,
  rds_suspend,
  rds_resume,
  rds_backup,
  rds_restore,
  rds_delete,
  subnet_delete,
  vpc_delete,
};

[[nodiscard]] std::string_view name_of(OperationKind kind);  // "hub.create"
[[nodiscard]] OperationKind parse_operation_kind(std::string_view name);

struct OperationStep {
  std::string name;
  std::string status;  // "running", "done", "failed", "undone"
  int attempts = 0;
  std::string message;
};

struct Operation {
  std::string id;
  std::string account_id;
  OperationKind kind;
  std::string resource_id;
  std::string order_number;  // of the purchase that it carries out; or empty
  std::string argument;
  std::string status;  // "running", "undoing", "done", "failed"
  int step = 0;
  int attempts = 0;
  int progress = 0;  // per cent
  std::string message;
  Timestamp created_at;
  std::vector<OperationStep> steps;  // by get_operation() only
};

// Returns its id. Throws Refusal(InvalidState) while other work on the resource is under way.
std::string start_operation(const Call& call, const std::string& account_id, OperationKind kind,
                            const std::string& resource_id, const std::string& order_number = "",
                            const std::string& argument = "");

[[nodiscard]] bool has_operation(const Call& call, const std::string& resource_id);

Operation get_operation(const Call& call, const std::string& account_id, const std::string& id);
// The newest first; of one resource unless that is empty.
std::vector<Operation> list_operations(const Call& call, const std::string& account_id,
                                       const std::string& resource_id, int offset, int limit);
std::int64_t count_operations(const Call& call, const std::string& account_id,
                              const std::string& resource_id);

// --- For the worker ---

// The operation that has been due for the longest, leaving out those on the resources given.
std::optional<Operation> next_operation(const Call& call, const std::vector<std::string>& except);
void step_started(const Call& call, const Operation& operation, std::string_view name);
void step_done(const Call& call, const Operation& operation, int progress);
void step_failed(const Call& call, const Operation& operation, const std::string& message,
                 Timestamp next_attempt);
// From now on backwards: the steps that were done, and the one that failed, are undone.
void start_undoing(const Call& call, const Operation& operation, const std::string& message);
void step_undone(const Call& call, const Operation& operation);
void end_operation(const Call& call, const Operation& operation, bool done);

}  // namespace hub::instances
