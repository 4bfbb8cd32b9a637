#include "instances/hubs/hubs.h"

#include <fmt/format.h>

#include <pqxx/pqxx>

#include "instances/accounts/verification.h"
#include "instances/core/calendar.h"
#include "instances/core/errc.h"
#include "instances/core/names.h"
#include "instances/core/operations.h"
#include "instances/core/secrets.h"
#include "instances/databases/rds.h"
#include "instances/money/wallet.h"
#include "instances/networks/networks.h"
#include "instances/networks/regions.h"
#include "instances/networks/security_groups.h"

namespace hub::instances {
namespace {

constexpr int kMaxShards = 64;

Hub hub_of(const pqxx::row& row) {
  Hub hub{.id = row["id"].as<std::string>(),
          .account_id = row["account_id"].as<std::string>(),
          .region = row["region"].as<std::string>(),
          .name = row["name"].as<std::string>(),
          .description = row["description"].as<std::string>(),
          .zones = parse_sql_array(row["zones"].c_str()),
          .vpc_id = row["vpc_id"].as<std::string>(),
          .subnet_id = row["subnet_id"].as<std::string>(),
          .rds_id = row["rds_id"].as<std::string>(),
          .address = {},
          .public_port = row["public_port"].as<std::uint16_t>(0),
          .public_host = row["public_host"].as<std::string>(),
          .shards = row["shards"].as<int>(),
          .max_devices = row["max_devices"].as<std::int64_t>(),
          .max_messages = row["max_messages"].as<std::int64_t>(),
          .generation = row["generation"].as<int>(),
          .database_password = row["database_password"].as<std::string>(),
          .state = row["state"].as<std::string>(),
          .progress = row["progress"].as<int>(),
          .health = row["health"].as<std::string>(),
          .failed_step = row["failed_step"].as<std::string>(),
          .message = row["message"].as<std::string>(),
          .version = row["version"].as<std::int64_t>(),
          .created_at = parse_sql_timestamp(row["created_at"].c_str())};
  if (!row["address"].is_null()) hub.address = parse_ipv4(row["address"].c_str());
  return hub;
}

void check_size(int shards, std::int64_t max_devices, std::int64_t max_messages) {
  if (shards < 1 || shards > kMaxShards)
    throw Refusal(Errc::InvalidRequest, fmt::format("A hub has 1 to {} shards.", kMaxShards));
  if (max_devices < 1 || max_devices > 5'000'000)
    throw Refusal(Errc::InvalidRequest, "A hub takes 1 to 5,000,000 devices.");
  if (max_messages < 0 || max_messages > 1'000'000'000'000)
    throw Refusal(Errc::InvalidRequest, "The cap on messages is 0 (none) to 1,000,000,000,000.");
}

// The database's preconditions: running, in the hub's VPC, initialised, and no other hub's.
void check_database(const Call& call, const Rds& rds, const std::string& vpc_id) {
  if (rds.state != "running")
    throw Refusal(Errc::RdsNotRunning,
                  fmt::format("The database instance '{}' is {}, and a hub needs it running.",
                              rds.name, rds.state));
  if (rds.vpc_id != vpc_id)
    throw Refusal(
        Errc::VpcMismatch,
        fmt::format("The database instance '{}' is in another VPC ({}) than the hub ({}). "
                    "Use a database of the hub's VPC.",
                    rds.name, rds.vpc_id, vpc_id));
  if (!rds.initialized)
    throw Refusal(
        Errc::DatabaseNotInitialized,
        fmt::format("The database instance '{}' is not initialised. Run `iothub manage rds "
                    "init {}`.",
                    rds.name, rds.name));
  if (rds.read_only)
    throw Refusal(Errc::InvalidState,
                  fmt::format("The storage of the database instance '{}' is full. Make room in it, "
                              "or use another one.",
                              rds.name));
  const auto other = call.tx.exec_params(
      "SELECT name FROM hub_instance WHERE rds_id = $1 "
      "AND state NOT IN ('ordered', 'error', 'deleted')",
      rds.id);
  if (!other.empty())
    throw Refusal(
        Errc::DatabaseInUse,
        fmt::format("The database instance '{}' serves the hub '{}', and a database serves "
                    "one hub. Use another one.",
                    rds.name, other[0][0].as<std::string>()));
}

void check_hub_quota(const Call& call, const std::string& account_id, const std::string& region) {
  const auto have = call.tx.exec_params1(
      "SELECT count(*) FROM hub_instance WHERE account_id = $1 AND region = $2 "
      "AND state NOT IN ('ordered', 'error', 'deleted')",
      account_id, region);
  check_quota(call, account_id, "hubs", have[0].as<std::int64_t>(), "hubs per region");
}

void check_free_name(const Call& call, const std::string& account_id, const std::string& region,
                     const std::string& name) {
  if (call.tx
          .exec_params("SELECT 1 FROM hub_instance WHERE account_id = $1 AND region = $2 "
                       "AND name = $3 AND state NOT IN ('ordered', 'deleted')",
                       account_id, region, name)
          .empty())
    return;
  throw Refusal(
      Errc::DuplicateName,
      fmt::format("There is a hub '{}' in {} already. Choose another name.", name, region));
}

std::uint16_t free_public_port(const Call& call, int above) {
  const auto found = call.tx.exec_params(
      "SELECT p FROM generate_series($1::int, $2::int) p "
      "WHERE NOT EXISTS (SELECT 1 FROM hub_instance WHERE public_port = p) ORDER BY p LIMIT 1",
      std::max<int>(call.settings.first_public_port, above + 1), call.settings.last_public_port);
  if (found.empty())
    throw Refusal(Errc::QuotaExceeded,
                  "This installation has no public port left. Ask its operator for a wider range.");
  return found[0][0].as<std::uint16_t>();
}

// A network and a database that exist, and fit together.
Subnet check_place(const Call& call, const std::string& account_id, const std::string& region,
                   const std::string& vpc_ref, const std::string& subnet_ref,
                   const std::string& rds_ref) {
  const auto vpc = get_vpc(call, account_id, vpc_ref);
  if (vpc.region != region)
    throw Refusal(Errc::VpcMismatch,
                  fmt::format("The VPC '{}' is in {}, not in {}. Name a VPC of the region.",
                              vpc.name, vpc.region, region));
  auto subnet = get_subnet(call, account_id, vpc.id, subnet_ref);
  if (subnet.state != "available")
    throw Refusal(Errc::InvalidState,
                  fmt::format("The subnet '{}' is being deleted.", subnet.name));
  if (subnet.free_addresses < 1)
    throw Refusal(
        Errc::SubnetIpExhausted,
        fmt::format("The subnet '{}' has no free address. Use another subnet.", subnet.name));
  check_database(call, get_rds(call, account_id, rds_ref), vpc.id);
  return subnet;
}

std::string restart(const Call& call, const Hub& hub) {
  const auto operation = start_operation(call, hub.account_id, OperationKind::hub_update, hub.id);
  call.tx.exec_params("UPDATE hub_instance SET generation = generation + 1 WHERE id = $1", hub.id);
  set_hub_state(call, hub.id, "updating", 0);
  return operation;
}

Hub running(const Call& call, const std::string& account_id, const std::string& ref) {
  lock_account(call, account_id);
  auto hub = get_hub(call, account_id, ref);
  if (hub.state == "running") return hub;
  throw Refusal(Errc::InvalidState,
                fmt::format("The hub '{}' is {}, and this needs it running.", hub.name, hub.state));
}

}  // namespace

Order order_hub(const Call& call, const std::string& account_id, const NewHub& hub) {
  check_name("hub", hub.name, 2);
  check_description(hub.description);
  check_size(hub.shards, hub.max_devices, hub.max_messages);
  lock_account(call, account_id);
  require_verified(call, account_id);
  require_threshold(call, account_id, {"hub", "consumption"});
  const auto& region = find_hub_region(hub.region);
  const auto subnet = check_place(call, account_id, hub.region, hub.vpc, hub.subnet, hub.rds);
  check_hub_quota(call, account_id, hub.region);
  check_free_name(call, account_id, hub.region, hub.name);
  const auto id = new_id("hub");
  const std::vector<std::string> zones(region.zones.begin(), region.zones.begin() + 2);
  call.tx.exec_params(
      "INSERT INTO hub_instance (id, account_id, region, name, description, zones, vpc_id, "
      "subnet_id, rds_id, shards, max_devices, max_messages, state, created_at) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'ordered', $13)",
      id, account_id, hub.region, hub.name, hub.description, sql_array(zones), subnet.vpc_id,
      subnet.id, get_rds(call, account_id, hub.rds).id, hub.shards, hub.max_devices,
      hub.max_messages, sql(call.now));
  attach_groups(call, account_id, subnet.vpc_id, id, hub.security_groups);
  return create_order(call, account_id,
                      {.charge_mode = "consumption",
                       .product = "hub",
                       .resource_id = id,
                       .region = hub.region,
                       .months = 0,
                       .total = {}});
}

void provision_hub(const Call& call, const Order& order) {
  const auto hub = load_hub(call, order.resource_id);
  check_place(call, order.account_id, hub.region, hub.vpc_id, hub.subnet_id, hub.rds_id);
  check_hub_quota(call, order.account_id, hub.region);
  check_free_name(call, order.account_id, hub.region, hub.name);
  // Without any group it would get none of the rules that its buyer looked at.
  if (group_names(call, hub.id).empty())
    throw Refusal(Errc::NotFound,
                  "The security groups of this order are deleted. Cancel it, and order again.");
  const auto address = allocate_address(call, hub.subnet_id, hub.id);
  // Ports are the machine's, not the account's: their takers take turns.
  call.tx.exec0("LOCK TABLE hub_instance IN SHARE ROW EXCLUSIVE MODE");
  call.tx.exec_params(
      "UPDATE hub_instance SET state = 'preparing', address = $2, public_port = $3, "
      "database_password = $4 WHERE id = $1",
      hub.id, address.to_string(), free_public_port(call, 0), new_secret());
  start_operation(call, order.account_id, OperationKind::hub_create, hub.id, order.number);
}

Hub get_hub(const Call& call, const std::string& account_id, const std::string& ref) {
  const auto found = call.tx.exec_params(
      "SELECT * FROM hub_instance WHERE account_id = $1 AND state <> 'deleted' "
      "AND (id = $2 OR (name = $2 AND state <> 'ordered'))",
      account_id, ref);
  if (found.empty())
    throw Refusal(
        Errc::NotFound,
        fmt::format("There is no hub '{}'. `iothub manage hub list` shows those that there "
                    "are.",
                    ref));
  if (found.size() > 1)
    throw Refusal(Errc::InvalidRequest,
                  fmt::format("Several regions have a hub '{}': name it by its id.", ref));
  return hub_of(found[0]);
}

std::vector<Hub> list_hubs(const Call& call, const std::string& account_id) {
  std::vector<Hub> hubs;
  for (const auto& row : call.tx.exec_params("SELECT * FROM hub_instance WHERE account_id = $1 AND "
                                             "state NOT IN ('ordered', 'deleted') "
                                             "ORDER BY created_at, id",
                                             account_id))
    hubs.push_back(hub_of(row));
  return hubs;
}

std::string update_hub(const Call& call, const std::string& account_id, const std::string& ref,
                       const HubChange& change) {
  const auto hub = running(call, account_id, ref);
  check_version(change.version, hub.version);
  check_size(change.shards.value_or(hub.shards), change.max_devices.value_or(hub.max_devices),
             change.max_messages.value_or(hub.max_messages));
  if (change.description) check_description(*change.description);
  if (change.security_groups)
    attach_groups(call, account_id, hub.vpc_id, hub.id, *change.security_groups);
  call.tx.exec_params(
      "UPDATE hub_instance SET description = coalesce($2, description), "
      "shards = coalesce($3, shards), max_devices = coalesce($4, max_devices), "
      "max_messages = coalesce($5, max_messages), version = version + 1 WHERE id = $1",
      hub.id, change.description, change.shards, change.max_devices, change.max_messages);
  const bool restarts = change.shards || change.max_devices || change.max_messages;
  return restarts ? restart(call, hub) : "";
}

std::string upgrade_hub(const Call& call, const std::string& account_id, const std::string& ref) {
  return restart(call, running(call, account_id, ref));
}

std::string delete_hub(const Call& call, const std::string& account_id, const std::string& ref,
                       const std::string& confirmation) {
  lock_account(call, account_id);
  const auto hub = get_hub(call, account_id, ref);
  if (confirmation != hub.name)
    throw Refusal(Errc::InvalidRequest,
                  fmt::format("Deleting a hub disconnects its devices for good. Confirm it by "
                              "repeating its name, '{}'.",
                              hub.name));
  if (hub.state != "running" && hub.state != "suspending" && hub.state != "error")
    throw Refusal(
        Errc::InvalidState,
        fmt::format("The hub '{}' is {}, and can be deleted when it is running, suspended "
                    "or in error.",
                    hub.name, hub.state));
  const auto operation = start_operation(call, account_id, OperationKind::hub_delete, hub.id);
  set_hub_state(call, hub.id, "deleting", 0);
  return operation;
}

Hub load_hub(const Call& call, const std::string& id) {
  return hub_of(call.tx.exec_params1("SELECT * FROM hub_instance WHERE id = $1", id));
}

void set_hub_state(const Call& call, const std::string& id, const std::string& state,
                   int progress) {
  call.tx.exec_params(
      "UPDATE hub_instance SET state = $2, progress = $3, version = version + 1, failed_step = '', "
      "message = '', deleted_at = CASE WHEN $2 = 'deleted' THEN $4::timestamptz END WHERE id = $1",
      id, state, progress, sql(call.now));
}

void hub_failed(const Call& call, const std::string& id, const std::string& step,
                const std::string& message) {
  call.tx.exec_params(
      "UPDATE hub_instance SET state = 'error', version = version + 1, failed_step = $2, "
      "message = $3 WHERE id = $1",
      id, step, message);
}

std::uint16_t move_public_port(const Call& call, const std::string& id) {
  call.tx.exec0("LOCK TABLE hub_instance IN SHARE ROW EXCLUSIVE MODE");
  const auto hub = load_hub(call, id);
  const auto port = free_public_port(call, hub.public_port);
  call.tx.exec_params("UPDATE hub_instance SET public_port = $2 WHERE id = $1", id, port);
  return port;
}

}  // namespace hub::instances
