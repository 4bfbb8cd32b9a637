#include "instances/core/operations.h"

#include <fmt/format.h>

#include <array>
#include <pqxx/pqxx>

#include "instances/core/calendar.h"
#include "instances/core/errc.h"
#include "instances/core/secrets.h"

namespace hub::instances {
namespace {

// In the order of OperationKind.
constexpr std::array<std::string_view, 15> kNames{
    "hub.create", "hub.update",   "hub.suspend", "hub.resume",    "hub.delete",
    "rds.create", "rds.register", "rds.init",    "rds.suspend",   "rds.resume",
    "rds.backup", "rds.restore",  "rds.delete",  "subnet.delete", "vpc.delete"};

Operation operation_of(const pqxx::row& row) {
  return {.id = row["id"].as<std::string>(),
          .account_id = row["account_id"].as<std::string>(),
          .kind = parse_operation_kind(row["kind"].c_str()),
          .resource_id = row["resource_id"].as<std::string>(),
          .order_number = row["order_number"].as<std::string>(""),
          .argument = row["argument"].as<std::string>(),
          .status = row["status"].as<std::string>(),
          .step = row["step"].as<int>(),
          .attempts = row["attempts"].as<int>(),
          .progress = row["progress"].as<int>(),
          .message = row["message"].as<std::string>(),
          .created_at = parse_sql_timestamp(row["created_at"].c_str()),
          .steps = {}};
}

}  // namespace

std::string_view name_of(OperationKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

OperationKind parse_operation_kind(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<OperationKind>(i);
  throw std::invalid_argument(fmt::format("'{}' is no kind of operation", name));
}

std::string start_operation(const Call& call, const std::string& account_id, OperationKind kind,
                            const std::string& resource_id, const std::string& order_number,
                            const std::string& argument) {
  const auto under_way = call.tx.exec_params(
      "SELECT id, kind FROM operation WHERE resource_id = $1 AND status IN ('running', 'undoing')",
      resource_id);
  if (!under_way.empty())
    throw Refusal(Errc::InvalidState,
                  fmt::format("{} is being worked on ({}, operation {}). Wait for that to end.",
                              resource_id, under_way[0][1].c_str(), under_way[0][0].c_str()));
  const auto id = new_id("op");
  const std::optional<std::string> order =
      order_number.empty() ? std::nullopt : std::optional{order_number};
  call.tx.exec_params(
      "INSERT INTO operation (id, account_id, kind, resource_id, order_number, argument, status, "
      "next_attempt_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, 'running', $7, $7)",
      id, account_id, std::string(name_of(kind)), resource_id, order, argument, sql(call.now));
  return id;
}

bool has_operation(const Call& call, const std::string& resource_id) {
  return !call.tx
              .exec_params(
                  "SELECT 1 FROM operation WHERE resource_id = $1 "
                  "AND status IN ('running', 'undoing')",
                  resource_id)
              .empty();
}

Operation get_operation(const Call& call, const std::string& account_id, const std::string& id) {
  const auto found = call.tx.exec_params(
      "SELECT * FROM operation WHERE account_id = $1 AND id = $2", account_id, id);
  if (found.empty()) throw Refusal(Errc::NotFound, fmt::format("There is no operation '{}'.", id));
  auto operation = operation_of(found[0]);
  for (const auto& row : call.tx.exec_params(
           "SELECT * FROM operation_step WHERE operation_id = $1 ORDER BY position", id))
    operation.steps.push_back({.name = row["name"].as<std::string>(),
                               .status = row["status"].as<std::string>(),
                               .attempts = row["attempts"].as<int>(),
                               .message = row["message"].as<std::string>()});
  return operation;
}

std::vector<Operation> list_operations(const Call& call, const std::string& account_id,
                                       const std::string& resource_id, int offset, int limit) {
  std::vector<Operation> operations;
  for (const auto& row : call.tx.exec_params(
           "SELECT * FROM operation WHERE account_id = $1 AND $2 IN ('', resource_id) "
           "ORDER BY created_at DESC, id OFFSET $3 LIMIT $4",
           account_id, resource_id, offset, limit))
    operations.push_back(operation_of(row));
  return operations;
}

std::int64_t count_operations(const Call& call, const std::string& account_id,
                              const std::string& resource_id) {
  return call.tx
      .exec_params1(
          "SELECT count(*) FROM operation WHERE account_id = $1 AND $2 IN ('', resource_id)",
          account_id, resource_id)[0]
      .as<std::int64_t>();
}

std::optional<Operation> next_operation(const Call& call, const std::vector<std::string>& except) {
  const auto found = call.tx.exec_params(
      "SELECT * FROM operation WHERE status IN ('running', 'undoing') AND next_attempt_at <= $1 "
      "AND NOT resource_id = ANY ($2::text[]) ORDER BY next_attempt_at, created_at LIMIT 1",
      sql(call.now), sql_array(except));
  if (found.empty()) return std::nullopt;
  return operation_of(found[0]);
}

void step_started(const Call& call, const Operation& operation, std::string_view name) {
  call.tx.exec_params(
      "INSERT INTO operation_step (operation_id, position, name, status, started_at) "
      "VALUES ($1, $2, $3, 'running', $4) ON CONFLICT (operation_id, position) DO UPDATE "
      "SET status = 'running', attempts = operation_step.attempts + 1",
      operation.id, operation.step, std::string(name), sql(call.now));
}

void step_done(const Call& call, const Operation& operation, int progress) {
  call.tx.exec_params(
      "UPDATE operation_step SET status = 'done', message = '', ended_at = $3 "
      "WHERE operation_id = $1 AND position = $2",
      operation.id, operation.step, sql(call.now));
  call.tx.exec_params(
      "UPDATE operation SET step = $2, attempts = 0, progress = $3, message = '', "
      "next_attempt_at = $4 WHERE id = $1",
      operation.id, operation.step + 1, progress, sql(call.now));
}

void step_failed(const Call& call, const Operation& operation, const std::string& message,
                 Timestamp next_attempt) {
  call.tx.exec_params(
      "UPDATE operation_step SET status = 'failed', message = $3, ended_at = $4 "
      "WHERE operation_id = $1 AND position = $2",
      operation.id, operation.step, message, sql(call.now));
  call.tx.exec_params(
      "UPDATE operation SET attempts = attempts + 1, message = $2, next_attempt_at = $3 "
      "WHERE id = $1",
      operation.id, message, sql(next_attempt));
}

void start_undoing(const Call& call, const Operation& operation, const std::string& message) {
  call.tx.exec_params(
      "UPDATE operation SET status = 'undoing', attempts = 0, message = $2, next_attempt_at = $3 "
      "WHERE id = $1",
      operation.id, message, sql(call.now));
}

void step_undone(const Call& call, const Operation& operation) {
  // What failed keeps its mark, and its message.
  call.tx.exec_params(
      "UPDATE operation_step SET status = 'undone' "
      "WHERE operation_id = $1 AND position = $2 AND status <> 'failed'",
      operation.id, operation.step);
  call.tx.exec_params(
      "UPDATE operation SET step = $2, attempts = 0, next_attempt_at = $3 WHERE id = $1",
      operation.id, operation.step - 1, sql(call.now));
}

void end_operation(const Call& call, const Operation& operation, bool done) {
  call.tx.exec_params(
      "UPDATE operation SET status = $2, progress = CASE WHEN $3 THEN 100 ELSE progress END, "
      "ended_at = $4 WHERE id = $1",
      operation.id, done ? "done" : "failed", done, sql(call.now));
}

}  // namespace hub::instances
