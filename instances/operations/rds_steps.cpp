#include <fmt/format.h>

#include <array>
#include <pqxx/pqxx>

#include "instances/databases/rds.h"
#include "instances/money/charges.h"
#include "instances/money/orders.h"
#include "instances/money/prices.h"
#include "instances/networks/networks.h"
#include "instances/operations/placement.h"
#include "instances/operations/steps.h"

namespace hub::instances {
namespace {

constexpr auto kGrace = std::chrono::seconds{30};

Rds rds_of(const Machinery& m, const Operation& op) {
  return m.transact([&](const Call& call) { return load_rds(call, op.resource_id); });
}

// --- Forth and back ---

void prepare_network(const Machinery& m, const Operation& op) { ensure_network(m, rds_of(m, op)); }

void start(const Machinery& m, const Operation& op) { ensure_cluster(m, rds_of(m, op)); }

void make_roles(const Machinery& m, const Operation& op) {
  const auto rds = rds_of(m, op);
  m.clusters.prepare(rds.admin_url, rds.database, rds.admin_name, rds.admin_password);
}

void reach(const Machinery& m, const Operation& op) { m.clusters.reach(owner_url(rds_of(m, op))); }

void initialize(const Machinery& m, const Operation& op) {
  const auto rds = rds_of(m, op);
  m.clusters.initialize(owner_url(rds));
  if (const auto problem = m.clusters.problem(owner_url(rds)); !problem.empty())
    throw std::runtime_error(problem);
}

void check_ours(const Rds& rds) {
  if (!rds.external_url.empty())
    throw HopelessError("the database is not ours: use its own tools for backup and restore");
}

// Each database has a folder of its backups.
std::filesystem::path backup_file(const Machinery& m, const Operation& op) {
  return m.settings.backup_dir / op.argument;
}

void backup(const Machinery& m, const Operation& op) {
  const auto rds = rds_of(m, op);
  check_ours(rds);
  std::filesystem::create_directories(backup_file(m, op).parent_path());
  m.provider.backup_database(rds.id, rds.database, backup_file(m, op));
}

void empty_database(const Machinery& m, const Operation& op) {
  const auto rds = rds_of(m, op);
  check_ours(rds);
  if (!std::filesystem::exists(backup_file(m, op)))
    throw HopelessError("there is no backup " + op.argument +
                        ": `iothub manage rds backup` makes one, and --from names the database "
                        "that it is of");
  m.clusters.recreate(rds.admin_url, rds.database);
}

void read_back(const Machinery& m, const Operation& op) {
  const auto rds = rds_of(m, op);
  m.clusters.recreate(rds.admin_url, rds.database);  // an attempt before may have left a part
  m.provider.restore_database(rds.id, rds.database, backup_file(m, op));
  const bool initialized = m.clusters.problem(owner_url(rds)).empty();
  m.transact([&](const Call& call) {
    call.tx.exec_params(
        "UPDATE rds_instance SET initialized_at = CASE WHEN $2 THEN $3::timestamptz END "
        "WHERE id = $1",
        rds.id, initialized, sql(call.now));
  });
}

void stop(const Machinery& m, const Operation& op) { m.provider.stop(op.resource_id, kGrace); }

void remove_cluster(const Machinery& m, const Operation& op) {
  m.provider.remove(ResourceKind::database, op.resource_id);
}

void remove_backups(const Machinery& m, const Operation& op) {
  std::filesystem::remove_all(m.settings.backup_dir / op.resource_id);
}

void remove_port(const Machinery& m, const Operation& op) {
  m.provider.remove(ResourceKind::port, op.resource_id);
}

// --- Endings ---

void created(const Call& call, const Operation& op) {
  const auto rds = load_rds(call, op.resource_id);
  set_rds_state(call, rds.id, "running");
  call.tx.exec_params("UPDATE rds_instance SET admin_password = NULL WHERE id = $1", rds.id);
  const auto order = get_order(call, op.account_id, op.order_number);
  const auto& klass = find_rds_class(rds.klass, rds.storage_gb);
  const bool monthly = order.charge_mode == "monthly";
  start_charging(call,
                 {.resource_id = rds.id,
                  .account_id = rds.account_id,
                  .region = rds.region,
                  .product = "rds",
                  .mode = order.charge_mode,
                  .price = monthly ? klass.monthly(rds.storage_gb) : klass.hourly(rds.storage_gb),
                  .months = order.months,
                  .auto_renew = false});
  if (monthly) bill_package(call, order);
  order_done(call, order.number);
}

void not_created(const Call& call, const Operation& op, std::string_view step) {
  rds_failed(call, op.resource_id, std::string(step), op.message);
  release_address(call, op.resource_id);
  call.tx.exec_params("UPDATE rds_instance SET admin_password = NULL, address = NULL WHERE id = $1",
                      op.resource_id);
  if (!op.order_number.empty()) order_failed(call, op.order_number, op.message);
}

void running(const Call& call, const Operation& op) {
  set_rds_state(call, op.resource_id, "running");
}

void initialized(const Call& call, const Operation& op) {
  call.tx.exec_params(
      "UPDATE rds_instance SET initialized_at = coalesce(initialized_at, $2), "
      "version = version + 1 WHERE id = $1",
      op.resource_id, sql(call.now));
}

void suspended(const Call& call, const Operation& op) {
  set_rds_state(call, op.resource_id, "suspended");
  pause_charging(call, op.resource_id);
}

void resumed(const Call& call, const Operation& op) {
  running(call, op);
  resume_charging(call, op.resource_id);
}

void nothing(const Call&, const Operation&) {}
void only_told(const Call&, const Operation&, std::string_view) {}

void deleted(const Call& call, const Operation& op) {
  end_charging(call, op.resource_id);
  release_address(call, op.resource_id);
  set_rds_state(call, op.resource_id, "deleted");
}

void no_state(const Call&, const Operation&, std::string_view, int) {}

constexpr std::array kCreate{
    Step{"prepare_network", 20, "", prepare_network, remove_port},
    Step{"start", 70, "", start, remove_cluster},
    Step{"administrator", 95, "", make_roles, nullptr},
};
constexpr std::array kRegister{Step{"reach", 95, "", reach, nullptr}};
constexpr std::array kInit{Step{"initialize", 95, "", initialize, nullptr}};
constexpr std::array kBackup{Step{"backup", 95, "", backup, nullptr}};
constexpr std::array kRestore{
    Step{"empty_database", 20, "", empty_database, nullptr},
    Step{"restore", 95, "", read_back, nullptr},
};
constexpr std::array kSuspend{Step{"stop", 95, "", stop, nullptr}};
constexpr std::array kResume{
    Step{"prepare_network", 20, "", prepare_network, nullptr},
    Step{"start", 95, "", start, nullptr},
};
constexpr std::array kDelete{
    Step{"remove_cluster", 60, "", remove_cluster, nullptr},
    Step{"remove_backups", 70, "", remove_backups, nullptr},
    Step{"remove_network", 95, "", remove_port, nullptr},
};

constexpr Plan kCreatePlan{kCreate, created, not_created, no_state};
constexpr Plan kRegisterPlan{kRegister, running, not_created, no_state};
constexpr Plan kInitPlan{kInit, initialized, only_told, no_state};
constexpr Plan kBackupPlan{kBackup, nothing, only_told, no_state};
constexpr Plan kRestorePlan{kRestore, nothing, only_told, no_state};
constexpr Plan kSuspendPlan{kSuspend, suspended, nullptr, no_state};
constexpr Plan kResumePlan{kResume, resumed, nullptr, no_state};
constexpr Plan kDeletePlan{kDelete, deleted, nullptr, no_state};

}  // namespace

const Plan& rds_plan(OperationKind kind) {
  switch (kind) {
    case OperationKind::rds_create:
      return kCreatePlan;
    case OperationKind::rds_register:
      return kRegisterPlan;
    case OperationKind::rds_init:
      return kInitPlan;
    case OperationKind::rds_backup:
      return kBackupPlan;
    case OperationKind::rds_restore:
      return kRestorePlan;
    case OperationKind::rds_suspend:
      return kSuspendPlan;
    case OperationKind::rds_resume:
      return kResumePlan;
    default:
      return kDeletePlan;
  }
}

}  // namespace hub::instances
