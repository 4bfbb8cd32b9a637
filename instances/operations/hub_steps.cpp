#include <fmt/format.h>

#include <array>
#include <pqxx/pqxx>

#include "instances/core/errc.h"
#include "instances/databases/rds.h"
#include "instances/hubs/hubs.h"
#include "instances/money/charges.h"
#include "instances/money/orders.h"
#include "instances/networks/networks.h"
#include "instances/networks/security_groups.h"
#include "instances/operations/placement.h"
#include "instances/operations/steps.h"

namespace hub::instances {
namespace {

constexpr auto kGrace = std::chrono::seconds{30};

Hub hub_of(const Machinery& m, const Operation& op) {
  return m.transact([&](const Call& call) { return load_hub(call, op.resource_id); });
}

Rds rds_of(const Machinery& m, const Operation& op) {
  return m.transact(
      [&](const Call& call) { return load_rds(call, load_hub(call, op.resource_id).rds_id); });
}

// --- Forth ---

void prepare_network(const Machinery& m, const Operation& op) { ensure_network(m, hub_of(m, op)); }

// Once more, and against the database itself: what was true when the order was paid may not be now.
void check_database(const Machinery& m, const Operation& op) {
  const auto hub = hub_of(m, op);
  const auto rds = rds_of(m, op);
  if (rds.state != "running")
    throw HopelessError(
        fmt::format("the database instance '{}' is {}, not running", rds.name, rds.state));
  if (rds.vpc_id != hub.vpc_id)
    throw HopelessError(fmt::format("the database instance '{}' is in another VPC", rds.name));
  if (const auto problem = m.clusters.problem(owner_url(rds)); !problem.empty())
    throw HopelessError(
        fmt::format("the database instance '{}' is not initialised ({}): run "
                    "`iothub manage rds init {}`",
                    rds.name, problem, rds.name));
}

void prepare_database(const Machinery& m, const Operation& op) {
  const auto hub = hub_of(m, op);
  const auto rds = rds_of(m, op);
  if (rds.external_url.empty())
    m.clusters.ensure_role(superuser_url(rds), role_of(hub.id), hub.database_password);
}

// A newer program may want more of its database than the one did that initialised it.
void update_database(const Machinery& m, const Operation& op) {
  const auto rds = rds_of(m, op);
  if (rds.external_url.empty() && !m.clusters.problem(owner_url(rds)).empty())
    m.clusters.initialize(owner_url(rds));
}

void start(const Machinery& m, const Operation& op) { ensure_process(m, hub_of(m, op)); }

void await_health(const Machinery& m, const Operation& op) {
  const auto hub = hub_of(m, op);
  try {
    check_health(m, hub);
  } catch (const std::exception& error) {
    const auto status = m.provider.status(hub.id);
    if (const auto line = last_line_of(status.last_lines); !line.empty())
      throw std::runtime_error(fmt::format("{}; it wrote last: {}", error.what(), line));
    throw;
  }
}

void open_endpoint(const Machinery& m, const Operation& op) { ensure_public(m, hub_of(m, op)); }

void stop(const Machinery& m, const Operation& op) { m.provider.stop(op.resource_id, kGrace); }

void close_endpoint(const Machinery& m, const Operation& op) {
  m.provider.remove(ResourceKind::endpoint, endpoint_id_of(op.resource_id));
}

// The last usage, for the final bill. A database that is gone for good does not keep the hub.
void take_usage(const Machinery& m, const Operation& op) {
  const auto rds = rds_of(m, op);
  const auto charge =
      m.transact([&](const Call& call) { return find_charge(call, op.resource_id); });
  if (!charge || rds.state != "running") return;
  std::vector<UsageOfDay> days;
  try {
    days = m.clusters.usage(owner_url(rds), op.resource_id, day_of(charge->settled_until),
                            m.settings.free_units);
  } catch (const std::exception&) {
    if (op.attempts + 1 < m.settings.step_attempts) throw;
  }
  m.transact([&](const Call& call) {
    for (const auto& day : days) report_usage(call, op.resource_id, day);
  });
}

void detach_database(const Machinery& m, const Operation& op) {
  const auto rds = rds_of(m, op);
  if (!rds.external_url.empty() || rds.state != "running") return;
  try {
    m.clusters.drop_role(superuser_url(rds), role_of(op.resource_id));
  } catch (const std::exception&) {
    if (op.attempts + 1 < m.settings.step_attempts) throw;
  }
}

void remove_process(const Machinery& m, const Operation& op) {
  m.provider.remove(ResourceKind::hub, op.resource_id);
}

void remove_port(const Machinery& m, const Operation& op) {
  m.provider.remove(ResourceKind::port, op.resource_id);
}

// --- Endings ---

void created(const Call& call, const Operation& op) {
  const auto hub = load_hub(call, op.resource_id);
  set_hub_state(call, hub.id, "running", 100);
  start_charging(call, {.resource_id = hub.id,
                        .account_id = hub.account_id,
                        .region = hub.region,
                        .product = "hub",
                        .mode = "consumption",
                        .price = {},
                        .months = 0,
                        .auto_renew = false});
  order_done(call, op.order_number);
}

void give_up_place(const Call& call, const std::string& id) {
  release_address(call, id);
  detach_groups(call, id);
  call.tx.exec_params(
      "UPDATE hub_instance SET public_port = NULL, public_host = '', address = NULL, "
      "database_password = '' WHERE id = $1",
      id);
}

void not_created(const Call& call, const Operation& op, std::string_view step) {
  hub_failed(call, op.resource_id, std::string(step), op.message);
  give_up_place(call, op.resource_id);
  order_failed(call, op.order_number, op.message);
}

void updated(const Call& call, const Operation& op) {
  set_hub_state(call, op.resource_id, "running", 100);
  call.tx.exec_params("UPDATE hub_instance SET health = '' WHERE id = $1", op.resource_id);
}

void not_updated(const Call& call, const Operation& op, std::string_view step) {
  set_hub_state(call, op.resource_id, "running", 100);
  call.tx.exec_params("UPDATE hub_instance SET health = $2 WHERE id = $1", op.resource_id,
                      fmt::format("the update failed at {}: {}", step, op.message));
}

void suspended(const Call& call, const Operation& op) { pause_charging(call, op.resource_id); }

void resumed(const Call& call, const Operation& op) {
  set_hub_state(call, op.resource_id, "running", 100);
  resume_charging(call, op.resource_id);
}

void deleted(const Call& call, const Operation& op) {
  end_charging(call, op.resource_id);
  give_up_place(call, op.resource_id);
  set_hub_state(call, op.resource_id, "deleted", 0);
}

void set_state(const Call& call, const Operation& op, std::string_view state, int progress) {
  set_hub_state(call, op.resource_id, std::string(state), progress);
}

constexpr std::array kCreate{
    Step{"prepare_network", 10, "preparing", prepare_network, remove_port},
    Step{"check_database", 31, "preparing", check_database, nullptr},
    Step{"prepare_database", 53, "preparing", prepare_database, detach_database},
    Step{"start", 73, "building", start, remove_process},
    Step{"health_check", 79, "building", await_health, nullptr},
    Step{"endpoint", 95, "building", open_endpoint, close_endpoint},
};
constexpr std::array kUpdate{
    Step{"update_database", 30, "updating", update_database, nullptr},
    Step{"start", 60, "updating", start, nullptr},
    Step{"health_check", 95, "updating", await_health, nullptr},
};
constexpr std::array kSuspend{Step{"stop", 95, "", stop, nullptr}};
constexpr std::array kResume{
    Step{"prepare_network", 10, "", prepare_network, nullptr},
    Step{"start", 60, "", start, nullptr},
    Step{"health_check", 80, "", await_health, nullptr},
    Step{"endpoint", 95, "", open_endpoint, nullptr},
};
constexpr std::array kDelete{
    Step{"close_endpoint", 10, "", close_endpoint, nullptr},
    Step{"stop", 40, "", stop, nullptr},
    Step{"final_usage", 50, "", take_usage, nullptr},
    Step{"detach_database", 60, "", detach_database, nullptr},
    Step{"remove_process", 80, "", remove_process, nullptr},
    Step{"remove_network", 95, "", remove_port, nullptr},
};

constexpr Plan kCreatePlan{kCreate, created, not_created, set_state};
constexpr Plan kUpdatePlan{kUpdate, updated, not_updated, set_state};
constexpr Plan kSuspendPlan{kSuspend, suspended, nullptr, set_state};
constexpr Plan kResumePlan{kResume, resumed, nullptr, set_state};
constexpr Plan kDeletePlan{kDelete, deleted, nullptr, set_state};

}  // namespace

const Plan& hub_plan(OperationKind kind) {
  switch (kind) {
    case OperationKind::hub_create:
      return kCreatePlan;
    case OperationKind::hub_update:
      return kUpdatePlan;
    case OperationKind::hub_suspend:
      return kSuspendPlan;
    case OperationKind::hub_resume:
      return kResumePlan;
    default:
      return kDeletePlan;
  }
}

}  // namespace hub::instances
