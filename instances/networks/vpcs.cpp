#include <fmt/format.h>

#include <array>
#include <pqxx/pqxx>

#include "instances/core/calendar.h"
#include "instances/core/errc.h"
#include "instances/core/names.h"
#include "instances/core/operations.h"
#include "instances/core/secrets.h"
#include "instances/networks/networks.h"
#include "instances/networks/regions.h"
#include "instances/networks/security_groups.h"

namespace hub::instances {
namespace {

Vpc vpc_of(const pqxx::row& row) {
  Vpc vpc{.id = row["id"].as<std::string>(),
          .name = row["name"].as<std::string>(),
          .region = row["region"].as<std::string>(),
          .prefix = {},
          .description = row["description"].as<std::string>(),
          .state = row["state"].as<std::string>(),
          .version = row["version"].as<std::int64_t>(),
          .created_at = parse_sql_timestamp(row["created_at"].c_str())};
  if (!row["prefix"].is_null()) vpc.prefix = parse_cidr(row["prefix"].c_str());
  return vpc;
}

void check_free_name(const Call& call, const std::string& account_id, const std::string& region,
                     const std::string& name) {
  if (call.tx
          .exec_params("SELECT 1 FROM vpc WHERE account_id = $1 AND region = $2 AND name = $3",
                       account_id, region, name)
          .empty())
    return;
  throw Refusal(
      Errc::DuplicateName,
      fmt::format("There is a VPC '{}' in {} already. Choose another name.", name, region));
}

}  // namespace

Vpc create_vpc(const Call& call, const std::string& account_id, const NewVpc& vpc) {
  check_name("VPC", vpc.name);
  check_description(vpc.description);
  find_region(vpc.region);
  std::optional<std::string> prefix;
  if (!vpc.prefix.empty()) prefix = check_private_prefix(vpc.prefix).to_string();
  lock_account(call, account_id);
  check_free_name(call, account_id, vpc.region, vpc.name);
  const auto have = call.tx.exec_params1(
      "SELECT count(*) FROM vpc WHERE account_id = $1 AND region = $2", account_id, vpc.region);
  check_quota(call, account_id, "vpcs", have[0].as<std::int64_t>(), "VPCs per region");
  const auto id = new_id("vpc");
  call.tx.exec_params(
      "INSERT INTO vpc (id, account_id, region, name, prefix, description, created_at) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7)",
      id, account_id, vpc.region, vpc.name, prefix, vpc.description, sql(call.now));
  create_default_groups(call, account_id, id);
  return get_vpc(call, account_id, id);
}

Vpc get_vpc(const Call& call, const std::string& account_id, const std::string& id_or_name) {
  const auto found = call.tx.exec_params(
      "SELECT * FROM vpc WHERE account_id = $1 AND (id = $2 OR name = $2)", account_id, id_or_name);
  if (found.empty())
    throw Refusal(
        Errc::NotFound,
        fmt::format("There is no VPC '{}'. `iothub manage vpc list` shows those that there "
                    "are.",
                    id_or_name));
  if (found.size() > 1)
    throw Refusal(Errc::InvalidRequest,
                  fmt::format("Several regions have a VPC '{}': name it by its id.", id_or_name));
  return vpc_of(found[0]);
}

std::vector<Vpc> list_vpcs(const Call& call, const std::string& account_id) {
  std::vector<Vpc> vpcs;
  for (const auto& row : call.tx.exec_params(
           "SELECT * FROM vpc WHERE account_id = $1 ORDER BY created_at, id", account_id))
    vpcs.push_back(vpc_of(row));
  return vpcs;
}

Vpc update_vpc(const Call& call, const std::string& account_id, const std::string& id_or_name,
               const Renaming& change) {
  lock_account(call, account_id);
  const auto vpc = get_vpc(call, account_id, id_or_name);
  check_version(change.version, vpc.version);
  if (change.name && *change.name != vpc.name) {
    check_name("VPC", *change.name);
    check_free_name(call, account_id, vpc.region, *change.name);
  }
  if (change.description) check_description(*change.description);
  call.tx.exec_params(
      "UPDATE vpc SET name = coalesce($2, name), description = coalesce($3, description), "
      "version = version + 1 WHERE id = $1",
      vpc.id, change.name, change.description);
  return get_vpc(call, account_id, vpc.id);
}

std::string delete_vpc(const Call& call, const std::string& account_id,
                       const std::string& id_or_name) {
  lock_account(call, account_id);
  const auto vpc = get_vpc(call, account_id, id_or_name);
  const auto subnets = list_subnets(call, account_id, vpc.id);
  if (!subnets.empty())
    throw Refusal(
        Errc::ResourceInUse,
        fmt::format("The VPC '{}' has {} subnet{}, such as '{}'. Delete the subnets first.",
                    vpc.name, subnets.size(), subnets.size() == 1 ? "" : "s",
                    subnets.front().name));
  call.tx.exec_params("UPDATE vpc SET state = 'deleting', version = version + 1 WHERE id = $1",
                      vpc.id);
  return start_operation(call, account_id, OperationKind::vpc_delete, vpc.id);
}

Cidr check_private_prefix(const std::string& text) {
  static const std::array kPrivate{*parse_cidr("10.0.0.0/8"), *parse_cidr("172.16.0.0/12"),
                                   *parse_cidr("192.168.0.0/16")};
  const auto cidr = parse_cidr(text);
  if (!cidr)
    throw Refusal(Errc::InvalidCidr,
                  fmt::format("'{}' is no address range: write the network's address and its mask, "
                              "such as 10.1.0.0/16, with no bit set outside of the mask.",
                              text));
  bool inside = false;
  for (const auto& range : kPrivate) inside = inside || range.contains(*cidr);
  if (!inside || cidr->mask < 16 || cidr->mask > 28)
    throw Refusal(Errc::InvalidCidr,
                  fmt::format("{} cannot be used: the range lies in 10.0.0.0/8, 172.16.0.0/12 or "
                              "192.168.0.0/16, and its mask is 16 to 28.",
                              text));
  return *cidr;
}

void check_version(std::optional<std::int64_t> expected, std::int64_t current) {
  if (!expected || *expected == current) return;
  throw Refusal(
      Errc::VersionConflict,
      fmt::format("The resource is of version {}, not {}: it has changed since it was read. "
                  "Read it again.",
                  current, *expected));
}

}  // namespace hub::instances
