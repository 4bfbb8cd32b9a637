#include "instances/operations/lifecycle.h"

#include <fmt/format.h>

#include <pqxx/pqxx>
#include <set>

#include "instances/core/calendar.h"
#include "instances/core/idempotency.h"
#include "instances/core/operations.h"
#include "instances/databases/rds.h"
#include "instances/hubs/hubs.h"
#include "instances/money/charges.h"
#include "instances/money/orders.h"
#include "instances/money/wallet.h"
#include "instances/operations/placement.h"

namespace hub::instances {
namespace {

struct Lapsed {
  bool suspend = false;
  bool release = false;
};

Lapsed lapsed(const Call& call, const Charge& charge) {
  if (charge.mode == "monthly") {
    if (*charge.expires_at > call.now) return {};
    return {true, call.now >= *charge.expires_at + call.settings.expired_kept};
  }
  if (!charge.overdue_since) return {};
  const auto& policy =
      charge.product == "hub" ? call.settings.hub_arrears : call.settings.rds_arrears;
  return {call.now >= *charge.overdue_since + policy.suspend_after,
          call.now >= *charge.overdue_since + policy.release_after};
}

// A database is not deleted under a hub.
bool serves_a_hub(const Call& call, const std::string& rds_id) {
  return !call.tx
              .exec_params(
                  "SELECT 1 FROM hub_instance WHERE rds_id = $1 "
                  "AND state NOT IN ('ordered', 'error', 'deleted')",
                  rds_id)
              .empty();
}

bool enforce_hub(const Call& call, const Charge& charge, const Lapsed& lapse) {
  const auto hub = load_hub(call, charge.resource_id);
  const auto start = [&](OperationKind kind, const char* state) {
    start_operation(call, hub.account_id, kind, hub.id);
    if (*state) set_hub_state(call, hub.id, state, 0);
    return true;
  };
  if (lapse.release) return start(OperationKind::hub_delete, "deleting");
  if (lapse.suspend && hub.state == "running")
    return start(OperationKind::hub_suspend, "suspending");
  if (!lapse.suspend && hub.state == "suspending") return start(OperationKind::hub_resume, "");
  return false;
}

bool enforce_rds(const Call& call, const Charge& charge, const Lapsed& lapse) {
  const auto rds = load_rds(call, charge.resource_id);
  const auto start = [&](OperationKind kind) {
    start_operation(call, rds.account_id, kind, rds.id);
    if (kind == OperationKind::rds_delete) set_rds_state(call, rds.id, "deleting");
    return true;
  };
  if (lapse.release && !serves_a_hub(call, rds.id)) return start(OperationKind::rds_delete);
  if (lapse.suspend && rds.state == "running") return start(OperationKind::rds_suspend);
  if (!lapse.suspend && rds.state == "suspended") return start(OperationKind::rds_resume);
  return false;
}

std::set<std::string> ids(const Machinery& m, const std::string& query) {
  return m.transact([&](const Call& call) {
    std::set<std::string> found;
    for (const auto& row : call.tx.exec(query)) found.insert(row[0].as<std::string>());
    return found;
  });
}

// The hub's own counts, of every day that is not billed yet.
void collect_usage(const Machinery& m, const std::string& hub_id) {
  const auto [rds, since] = m.transact([&](const Call& call) {
    return std::pair{load_rds(call, load_hub(call, hub_id).rds_id),
                     day_of(find_charge(call, hub_id).value().settled_until)};
  });
  if (rds.state != "running") return;
  const auto days = m.clusters.usage(owner_url(rds), hub_id, since, m.settings.free_units);
  m.transact([&](const Call& call) {
    for (const auto& day : days) report_usage(call, hub_id, day);
  });
}

}  // namespace

int enforce_payment(const Call& call) {
  int started = 0;
  for (const auto& row :
       call.tx.exec("SELECT resource_id, account_id FROM charge WHERE ended_at IS NULL "
                    "ORDER BY account_id, product, resource_id")) {
    const auto id = row[0].as<std::string>();
    lock_account(call, row[1].as<std::string>());
    const auto charge = find_charge(call, id).value();
    if (charge.ended_at || has_operation(call, id)) continue;
    const auto lapse = lapsed(call, charge);
    if (charge.mode == "monthly")
      call.tx.exec_params("UPDATE charge SET status = $2 WHERE resource_id = $1", id,
                          lapse.suspend ? "overdue" : "normal");
    started += charge.product == "hub" ? enforce_hub(call, charge, lapse)
                                       : enforce_rds(call, charge, lapse);
  }
  return started;
}

std::vector<std::string> run_jobs(const Machinery& m) {
  std::vector<std::string> problems;
  const auto attempt = [&](const std::string& what, const auto& job) {
    try {
      job();
    } catch (const std::exception& error) {
      problems.push_back(fmt::format("{}: {}", what, error.what()));
    }
  };
  attempt("expire orders", [&] { m.transact([](const Call& c) { return expire_orders(c); }); });
  attempt("forget answers", [&] { m.transact([](const Call& c) { return forget_answers(c); }); });
  attempt("expire coupons", [&] { m.transact([](const Call& c) { return expire_coupons(c); }); });
  // A day is billed by its counts, so these come first; without them it is billed later.
  std::set<std::string> uncounted =
      ids(m, "SELECT resource_id FROM charge WHERE mode = 'consumption' AND ended_at IS NULL");
  for (const auto& id : std::set(uncounted))
    attempt("count the usage of " + id, [&] {
      collect_usage(m, id);
      uncounted.erase(id);
    });
  for (const auto& id : m.transact([](const Call& call) { return resources_to_settle(call); }))
    if (!uncounted.contains(id))
      attempt("settle " + id,
              [&] { m.transact([&](const Call& call) { return settle(call, id); }); });
  for (const auto& account :
       ids(m, "SELECT DISTINCT account_id FROM bill WHERE NOT paid ORDER BY 1"))
    attempt("pay the bills of " + account,
            [&] { m.transact([&](const Call& c) { return pay_open_bills(c, account); }); });
  attempt("renew packages", [&] { m.transact([](const Call& c) { return renew_packages(c); }); });
  attempt("enforce payment", [&] { m.transact([](const Call& c) { return enforce_payment(c); }); });
  return problems;
}

}  // namespace hub::instances
