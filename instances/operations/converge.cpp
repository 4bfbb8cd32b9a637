#include <fmt/format.h>

#include <algorithm>
#include <pqxx/pqxx>

#include "instances/core/operations.h"
#include "instances/databases/rds.h"
#include "instances/hubs/hubs.h"
#include "instances/operations/lifecycle.h"
#include "instances/operations/placement.h"

namespace hub::instances {
namespace {

using State = ProcessStatus::State;

constexpr std::uint32_t kCrashLoop = 4;   // failures in a row, above which it is one
constexpr std::uint64_t kRoomAgain = 19;  // twentieths of its storage that a full database may have

std::string health_of(const ProcessStatus& status) {
  if (status.state == State::running && status.failures_in_a_row <= kCrashLoop) return "";
  if (status.failures_in_a_row > kCrashLoop)
    return fmt::format("crash loop: it ended {} times in a row; it wrote last: {}",
                       status.failures_in_a_row, last_line_of(status.last_lines));
  return "restarting";
}

void remember_health(const Machinery& m, const char* table, const std::string& id,
                     const std::string& health) {
  m.transact([&](const Call& call) {
    call.tx.exec_params(
        fmt::format("UPDATE {} SET health = $2 WHERE id = $1 AND health <> $2", table), id, health);
  });
}

std::vector<std::string> running(const Machinery& m, const char* table) {
  return m.transact([&](const Call& call) {
    std::vector<std::string> found;
    for (const auto& row :
         call.tx.exec(fmt::format("SELECT id FROM {} WHERE state = 'running' ORDER BY id", table)))
      found.push_back(row[0].as<std::string>());
    return found;
  });
}

// Does `work` on a resource that is running and that nobody works on, and keeps others from it.
template <class T, class F>
void while_idle(const Machinery& m, const std::string& id,
                T (*load)(const Call&, const std::string&), F&& work) {
  const auto claim = m.claims.try_claim(id);
  if (!claim) return;
  const auto [busy, resource] = m.transact(
      [&](const Call& call) { return std::pair{has_operation(call, id), load(call, id)}; });
  if (!busy && resource.state == "running") work(resource);
}

bool needs_start(const ProcessStatus& status) {
  return status.state == State::absent || status.state == State::exited;
}

void remember_read_only(const Machinery& m, const std::string& rds_id, bool read_only) {
  m.transact([&](const Call& call) {
    call.tx.exec_params("UPDATE rds_instance SET read_only = $2 WHERE id = $1", rds_id, read_only);
  });
}

bool is_full(const Machinery& m, const Rds& rds) {
  const auto storage = std::uint64_t{rds.storage_gb} << 30;
  return m.provider.storage_bytes(rds.id) > (rds.read_only ? storage / 20 * kRoomAgain : storage);
}

// A kill leaves no database read-only that the records take for another: they say so before it is,
// and until it is not.
void converge_writing(const Machinery& m, const Rds& rds, bool full) {
  if (full && !rds.read_only) remember_read_only(m, rds.id, true);
  if (full || rds.read_only) m.clusters.set_read_only(rds.admin_url, full);
  if (!full && rds.read_only) remember_read_only(m, rds.id, false);
}

void converge_rds(const Machinery& m, const Rds& rds) {
  if (!rds.external_url.empty()) return;
  const auto status = m.provider.status(rds.id);
  if (needs_start(status)) {
    ensure_network(m, rds);
    ensure_cluster(m, rds);
  }
  const bool full = is_full(m, rds);
  auto health = health_of(status);
  if (health.empty() && full)
    health = fmt::format(
        "storage full: the {} GB are used up, and it is read-only until some of "
        "it is free again",
        rds.storage_gb);
  remember_health(m, "rds_instance", rds.id, health);
  converge_writing(m, rds, full);
}

void converge_hub(const Machinery& m, const Hub& hub) {
  const auto status = m.provider.status(hub.id);
  if (needs_start(status)) {
    ensure_network(m, hub);
    ensure_process(m, hub);
  }
  if (needs_start(m.provider.status(endpoint_id_of(hub.id)))) ensure_public(m, hub);
  // What an update left to say stays until something else is to be said.
  auto health = health_of(status);
  if (health.empty() &&
      m.transact([&](const Call& call) { return load_rds(call, hub.rds_id).read_only; }))
    health = "its messages wait: the storage of its database is full";
  if (!health.empty() || !hub.health.starts_with("the update failed"))
    remember_health(m, "hub_instance", hub.id, health);
}

void apply_rules(const Machinery& m, const Hub& hub) {
  const auto changed = m.transact([&](const Call& call) {
    const auto row =
        call.tx.exec_params("SELECT changed_at FROM stale_rules WHERE instance_id = $1", hub.id);
    return row.empty() ? std::string{} : row[0][0].as<std::string>();
  });
  if (changed.empty()) return;
  ensure_network(m, hub);
  m.transact([&](const Call& call) {  // unless they have changed again meanwhile
    call.tx.exec_params("DELETE FROM stale_rules WHERE instance_id = $1 AND changed_at = $2",
                        hub.id, changed);
  });
}

// Whether the records say that this may exist on the machine.
bool is_known(const Call& call, const Owned& owned) {
  const auto exists = [&](const char* query, const std::string& id) {
    return !call.tx.exec_params(query, id).empty();
  };
  switch (owned.kind) {
    case ResourceKind::vpc:
      return exists("SELECT 1 FROM vpc WHERE id = $1", owned.id);
    case ResourceKind::subnet:
      return exists("SELECT 1 FROM subnet WHERE id = $1", owned.id);
    case ResourceKind::port:
      return exists("SELECT 1 FROM address WHERE instance_id = $1", owned.id);
    case ResourceKind::database:
      return exists("SELECT 1 FROM rds_instance WHERE id = $1 AND state <> 'deleted'", owned.id);
    case ResourceKind::hub:
      return exists("SELECT 1 FROM hub_instance WHERE id = $1 AND state <> 'deleted'", owned.id);
    case ResourceKind::endpoint:
      return exists(
          "SELECT 1 FROM hub_instance WHERE id = 'hub-' || substr($1, 4) "
          "AND public_port IS NOT NULL",
          owned.id);
  }
  return true;
}

}  // namespace

std::vector<std::string> converge(const Machinery& m) {
  std::vector<std::string> problems;
  const auto attempt = [&](const std::string& id, const auto& work) {
    try {
      work();
    } catch (const std::exception& error) {
      problems.push_back(fmt::format("{}: {}", id, error.what()));
    }
  };
  for (const auto& id : running(m, "rds_instance"))
    attempt(id, [&] { while_idle(m, id, load_rds, [&](const Rds& r) { converge_rds(m, r); }); });
  for (const auto& id : running(m, "hub_instance")) {
    attempt(id, [&] { while_idle(m, id, load_hub, [&](const Hub& h) { apply_rules(m, h); }); });
    attempt(id, [&] { while_idle(m, id, load_hub, [&](const Hub& h) { converge_hub(m, h); }); });
  }
  return problems;
}

std::vector<std::string> remove_strays(const Machinery& m) {
  std::vector<std::string> done;
  auto found = m.provider.list();
  // What stands on other things goes first: the kinds are in the order of standing.
  std::sort(found.begin(), found.end(),
            [](const Owned& a, const Owned& b) { return a.kind > b.kind; });
  for (const auto& owned : found) {
    if (m.transact([&](const Call& call) { return is_known(call, owned); })) continue;
    try {
      m.provider.remove(owned.kind, owned.id);
      done.push_back(fmt::format("removed {}, which no record knows", owned.id));
    } catch (const std::exception& error) {
      done.push_back(fmt::format("{}, which no record knows, stays: {}", owned.id, error.what()));
    }
  }
  return done;
}

}  // namespace hub::instances
