#include "instances/databases/rds.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <pqxx/pqxx>

#include "instances/accounts/verification.h"
#include "instances/core/calendar.h"
#include "instances/core/errc.h"
#include "instances/core/names.h"
#include "instances/core/operations.h"
#include "instances/core/secrets.h"
#include "instances/money/charges.h"
#include "instances/money/prices.h"
#include "instances/money/wallet.h"
#include "instances/networks/networks.h"
#include "instances/networks/regions.h"

namespace hub::instances {
namespace {

constexpr std::int64_t kSpareAddresses = 10;  // a subnet needs more than these for a database

Rds rds_of(const pqxx::row& row) {
  Rds rds{.id = row["id"].as<std::string>(),
          .account_id = row["account_id"].as<std::string>(),
          .region = row["region"].as<std::string>(),
          .name = row["name"].as<std::string>(),
          .zones = parse_sql_array(row["zones"].c_str()),
          .vpc_id = row["vpc_id"].as<std::string>(),
          .subnet_id = row["subnet_id"].as<std::string>(),
          .engine = row["engine"].as<std::string>(),
          .external_url = row["external_url"].as<std::string>(""),
          .klass = row["class"].as<std::string>(),
          .storage_gb = row["storage_gb"].as<std::uint32_t>(),
          .port = row["port"].as<std::uint16_t>(),
          .address = {},
          .state = row["state"].as<std::string>(),
          .health = row["health"].as<std::string>(),
          .read_only = row["read_only"].as<bool>(),
          .failed_step = row["failed_step"].as<std::string>(),
          .message = row["message"].as<std::string>(),
          .admin_name = row["admin_name"].as<std::string>(),
          .admin_password = row["admin_password"].as<std::string>(""),
          .database = row["database_name"].as<std::string>(),
          .admin_url = row["admin_url"].as<std::string>(),
          .initialized = !row["initialized_at"].is_null(),
          .version = row["version"].as<std::int64_t>(),
          .created_at = parse_sql_timestamp(row["created_at"].c_str())};
  if (!row["address"].is_null()) rds.address = parse_ipv4(row["address"].c_str());
  return rds;
}

void check_admin_name(const std::string& name) {
  static constexpr std::array<std::string_view, 22> kReserved{
      "postgres", "root",  "admin",  "master", "sa",     "guest",       "rds_superuser", "public",
      "none",     "user",  "select", "insert", "update", "delete",      "table",         "create",
      "drop",     "grant", "order",  "group",  "all",    "iothub_owner"};
  bool good = name.size() >= 2 && name.size() <= 32 && name.front() >= 'a' && name.front() <= 'z';
  for (const char c : name)
    good = good && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_');
  if (good && !name.starts_with("pg_") && !name.starts_with("hub_") &&
      std::find(kReserved.begin(), kReserved.end(), name) == kReserved.end())
    return;
  throw Refusal(
      Errc::InvalidRequest,
      fmt::format("'{}' cannot be the administrator: a name has 2 to 32 of a to z, 0 to 9 "
                  "and '_', begins with a letter, and is not reserved (postgres, root, "
                  "admin, pg_..., SQL's words). Choose another one.",
                  name));
}

void check_request(const NewRds& rds) {
  check_name("database instance", rds.name, 2);
  if (rds.engine != "postgresql")
    throw Refusal(Errc::InvalidRequest,
                  fmt::format("The engine '{}' is not offered: there is postgresql.", rds.engine));
  if (rds.port < 1150 || rds.port > 5999)
    throw Refusal(Errc::InvalidRequest,
                  "A database's port is 1150 to 5999; the usual one is 5432.");
  if (rds.charge_mode != "configuration" && rds.charge_mode != "monthly")
    throw Refusal(Errc::InvalidRequest,
                  "A database is charged by configuration or as a monthly package.");
  if (rds.charge_mode == "monthly" && (rds.months < 1 || rds.months > 24))
    throw Refusal(Errc::InvalidRequest, "A package of a database is for 1 to 24 months.");
  check_admin_name(rds.admin_name);
}

std::vector<std::string> zones_of(const Region& region, const std::string& wanted) {
  const std::string zone = wanted.empty() ? std::string(region.zones.front()) : wanted;
  if (std::find(region.zones.begin(), region.zones.end(), zone) == region.zones.end())
    throw Refusal(Errc::RegionNotSupported,
                  fmt::format("The region {} has no zone '{}'.", region.id, zone));
  return {zone, zone};  // the primary's, and the stand-by's: a single zone
}

void check_subnet_room(const Subnet& subnet) {
  if (subnet.state != "available")
    throw Refusal(Errc::InvalidState,
                  fmt::format("The subnet '{}' is being deleted.", subnet.name));
  if (subnet.free_addresses > kSpareAddresses) return;
  throw Refusal(
      Errc::SubnetIpExhausted,
      fmt::format("A PostgreSQL instance needs a subnet with more than {} free addresses; "
                  "'{}' has {}. Use another subnet.",
                  kSpareAddresses, subnet.name, subnet.free_addresses));
}

void check_rds_quota(const Call& call, const std::string& account_id, const std::string& region) {
  const auto have = call.tx.exec_params1(
      "SELECT count(*) FROM rds_instance WHERE account_id = $1 AND region = $2 "
      "AND state NOT IN ('ordered', 'deleted')",
      account_id, region);
  check_quota(call, account_id, "rds", have[0].as<std::int64_t>(), "database instances per region");
}

Subnet subnet_in_region(const Call& call, const std::string& account_id, const std::string& vpc_ref,
                        const std::string& subnet_ref, const std::string& region) {
  const auto vpc = get_vpc(call, account_id, vpc_ref);
  if (vpc.region != region)
    throw Refusal(Errc::VpcMismatch,
                  fmt::format("The VPC '{}' is in {}, not in {}. Name a VPC of the region.",
                              vpc.name, vpc.region, region));
  return get_subnet(call, account_id, vpc.id, subnet_ref);
}

Rds running(const Call& call, const std::string& account_id, const std::string& ref) {
  lock_account(call, account_id);
  auto rds = get_rds(call, account_id, ref);
  if (rds.state == "running") return rds;
  throw Refusal(Errc::RdsNotRunning,
                fmt::format("The database instance '{}' is {}, and this needs it running.",
                            rds.name, rds.state));
}

}  // namespace

OrderedRds order_rds(const Call& call, const std::string& account_id, const NewRds& rds) {
  check_request(rds);
  const auto& region = find_region(rds.region);
  const auto zones = zones_of(region, rds.zone);
  const auto& klass = find_rds_class(rds.klass, rds.storage_gb);
  lock_account(call, account_id);
  require_verified(call, account_id);
  if (rds.charge_mode == "configuration")
    require_threshold(call, account_id, {"rds", rds.charge_mode});
  const auto subnet = subnet_in_region(call, account_id, rds.vpc, rds.subnet, rds.region);
  check_subnet_room(subnet);
  check_rds_quota(call, account_id, rds.region);
  const auto id = new_id("rds");
  const auto password = rds.admin_password.empty() ? new_secret() : rds.admin_password;
  call.tx.exec_params(
      "INSERT INTO rds_instance (id, account_id, region, name, zones, vpc_id, subnet_id, engine, "
      "class, storage_gb, port, state, admin_name, admin_password, created_at) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'ordered', $12, $13, $14)",
      id, account_id, rds.region, rds.name, sql_array(zones), subnet.vpc_id, subnet.id, rds.engine,
      rds.klass, rds.storage_gb, rds.port, rds.admin_name, password, sql(call.now));
  const bool monthly = rds.charge_mode == "monthly";
  const auto order =
      create_order(call, account_id,
                   {.charge_mode = rds.charge_mode,
                    .product = "rds",
                    .resource_id = id,
                    .region = rds.region,
                    .months = monthly ? rds.months : 0,
                    .total = monthly ? klass.monthly(rds.storage_gb) * rds.months : Money{}});
  return {order, rds.admin_password.empty() ? password : ""};
}

void provision_rds(const Call& call, const Order& order) {
  const auto rds = get_rds(call, order.account_id, order.resource_id);
  const auto subnet = get_subnet(call, order.account_id, rds.vpc_id, rds.subnet_id);
  check_subnet_room(subnet);
  check_rds_quota(call, order.account_id, rds.region);
  const auto address = allocate_address(call, rds.subnet_id, rds.id);
  call.tx.exec_params("UPDATE rds_instance SET state = 'building', address = $2 WHERE id = $1",
                      rds.id, address.to_string());
  start_operation(call, order.account_id, OperationKind::rds_create, rds.id, order.number);
}

std::string register_rds(const Call& call, const std::string& account_id, const ExternalRds& rds) {
  check_name("database instance", rds.name, 2);
  if (!rds.url.starts_with("postgresql://") && !rds.url.starts_with("postgres://"))
    throw Refusal(Errc::InvalidRequest,
                  "The address of a database is a URL: postgresql://user:password@host:port/name.");
  lock_account(call, account_id);
  require_verified(call, account_id);
  const auto vpc = get_vpc(call, account_id, rds.vpc);
  const auto subnet = get_subnet(call, account_id, vpc.id, rds.subnet);
  check_rds_quota(call, account_id, vpc.region);
  const auto id = new_id("rds");
  call.tx.exec_params(
      "INSERT INTO rds_instance (id, account_id, region, name, zones, vpc_id, subnet_id, engine, "
      "external_url, class, storage_gb, port, state, admin_name, admin_url, created_at) "
      "VALUES ($1, $2, $3, $4, '{}', $5, $6, 'postgresql', $7, 'external', 0, 5432, 'building', "
      "'', "
      "$7, $8)",
      id, account_id, vpc.region, rds.name, vpc.id, subnet.id, rds.url, sql(call.now));
  return start_operation(call, account_id, OperationKind::rds_register, id);
}

Rds get_rds(const Call& call, const std::string& account_id, const std::string& ref) {
  const auto found = call.tx.exec_params(
      "SELECT * FROM rds_instance WHERE account_id = $1 AND state <> 'deleted' "
      "AND (id = $2 OR (name = $2 AND state <> 'ordered'))",
      account_id, ref);
  if (found.empty())
    throw Refusal(Errc::NotFound,
                  fmt::format("There is no database instance '{}'. `iothub manage rds list` shows "
                              "those that there are.",
                              ref));
  if (found.size() > 1)
    throw Refusal(
        Errc::InvalidRequest,
        fmt::format("Several database instances are named '{}': name it by its id.", ref));
  return rds_of(found[0]);
}

std::vector<Rds> list_rds(const Call& call, const std::string& account_id) {
  std::vector<Rds> list;
  for (const auto& row : call.tx.exec_params("SELECT * FROM rds_instance WHERE account_id = $1 AND "
                                             "state NOT IN ('ordered', 'deleted') "
                                             "ORDER BY created_at, id",
                                             account_id))
    list.push_back(rds_of(row));
  return list;
}

std::string initialize_rds(const Call& call, const std::string& account_id,
                           const std::string& ref) {
  const auto rds = running(call, account_id, ref);
  return start_operation(call, account_id, OperationKind::rds_init, rds.id);
}

std::string backup_rds(const Call& call, const std::string& account_id, const std::string& ref,
                       const std::string& file) {
  const auto rds = running(call, account_id, ref);
  return start_operation(call, account_id, OperationKind::rds_backup, rds.id, "",
                         rds.id + "/" + file);
}

std::string restore_rds(const Call& call, const std::string& account_id, const std::string& ref,
                        const std::string& from, const std::string& file) {
  const auto rds = running(call, account_id, ref);
  const auto hub = call.tx.exec_params(
      "SELECT name FROM hub_instance WHERE rds_id = $1 AND state NOT IN ('ordered', 'error', "
      "'deleted')",
      rds.id);
  if (!hub.empty())
    throw Refusal(Errc::ResourceInUse,
                  fmt::format("The hub '{0}' stores in the database instance '{1}'. Restore into "
                              "one that no hub uses: `iothub manage rds restore OTHER {2} --from "
                              "{1}`.",
                              hub[0][0].as<std::string>(), rds.name, file));
  const auto source = from.empty() ? rds.id : get_rds(call, account_id, from).id;
  return start_operation(call, account_id, OperationKind::rds_restore, rds.id, "",
                         source + "/" + file);
}

std::string delete_rds(const Call& call, const std::string& account_id, const std::string& ref) {
  lock_account(call, account_id);
  const auto rds = get_rds(call, account_id, ref);
  if (rds.state != "running" && rds.state != "error" && rds.state != "suspended")
    throw Refusal(Errc::InvalidState,
                  fmt::format("The database instance '{}' is {}, and can be deleted when it is "
                              "running, suspended or in error.",
                              rds.name, rds.state));
  const auto hub = call.tx.exec_params(
      "SELECT name FROM hub_instance WHERE rds_id = $1 AND state NOT IN ('ordered', 'deleted')",
      rds.id);
  if (!hub.empty())
    throw Refusal(Errc::ResourceInUse,
                  fmt::format("The hub '{}' stores in the database instance '{}'. Delete the hub "
                              "first.",
                              hub[0][0].as<std::string>(), rds.name));
  const auto charge = find_charge(call, rds.id);
  if (charge && charge->mode == "monthly" && !charge->ended_at && *charge->expires_at > call.now)
    throw Refusal(Errc::PrepaidNotExpired,
                  fmt::format("The package of '{}' runs until {}: it can be deleted after that.",
                              rds.name, to_iso8601(*charge->expires_at)));
  const auto operation = start_operation(call, account_id, OperationKind::rds_delete, rds.id);
  set_rds_state(call, rds.id, "deleting");
  return operation;
}

Rds load_rds(const Call& call, const std::string& id) {
  return rds_of(call.tx.exec_params1("SELECT * FROM rds_instance WHERE id = $1", id));
}

void set_rds_state(const Call& call, const std::string& id, const std::string& state) {
  call.tx.exec_params(
      "UPDATE rds_instance SET state = $2, version = version + 1, failed_step = '', message = '', "
      "deleted_at = CASE WHEN $2 = 'deleted' THEN $3::timestamptz END WHERE id = $1",
      id, state, sql(call.now));
}

void rds_failed(const Call& call, const std::string& id, const std::string& step,
                const std::string& message) {
  call.tx.exec_params(
      "UPDATE rds_instance SET state = 'error', version = version + 1, failed_step = $2, "
      "message = $3 WHERE id = $1",
      id, step, message);
}

}  // namespace hub::instances
