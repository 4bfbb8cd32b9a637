#include <fmt/format.h>

#include <pqxx/pqxx>

#include "instances/core/calendar.h"
#include "instances/core/errc.h"
#include "instances/core/names.h"
#include "instances/core/operations.h"
#include "instances/core/secrets.h"
#include "instances/networks/networks.h"

namespace hub::instances {
namespace {

constexpr auto kSubnets =
    "SELECT s.*, (SELECT count(*) FROM address a WHERE a.subnet_id = s.id) AS used FROM subnet s ";

Subnet subnet_of(const pqxx::row& row) {
  const auto prefix = parse_cidr(row["prefix"].c_str()).value();
  return {.id = row["id"].as<std::string>(),
          .vpc_id = row["vpc_id"].as<std::string>(),
          .name = row["name"].as<std::string>(),
          .prefix = prefix,
          .description = row["description"].as<std::string>(),
          .state = row["state"].as<std::string>(),
          .free_addresses = usable_addresses(prefix) - row["used"].as<std::int64_t>(),
          .version = row["version"].as<std::int64_t>(),
          .created_at = parse_sql_timestamp(row["created_at"].c_str())};
}

void check_free_name(const std::vector<Subnet>& subnets, const std::string& name) {
  for (const auto& subnet : subnets)
    if (subnet.name == name)
      throw Refusal(Errc::DuplicateName,
                    fmt::format("The VPC has a subnet '{}' already. Choose another name.", name));
}

}  // namespace

Subnet create_subnet(const Call& call, const std::string& account_id, const NewSubnet& subnet) {
  check_name("subnet", subnet.name);
  check_description(subnet.description);
  const auto prefix = check_private_prefix(subnet.prefix);
  lock_account(call, account_id);
  const auto vpc = get_vpc(call, account_id, subnet.vpc);
  if (vpc.state != "available")
    throw Refusal(Errc::InvalidState, fmt::format("The VPC '{}' is being deleted.", vpc.name));
  if (vpc.prefix && !vpc.prefix->contains(prefix))
    throw Refusal(Errc::CidrOutOfVpc,
                  fmt::format("{} is not inside the VPC's range {}. Choose a part of that.",
                              subnet.prefix, vpc.prefix->to_string()));
  const auto siblings = list_subnets(call, account_id, vpc.id);
  for (const auto& other : siblings)
    if (other.prefix.overlaps(prefix))
      throw Refusal(Errc::CidrOverlap,
                    fmt::format("{} overlaps {}, the range of the subnet '{}'. Choose another one.",
                                subnet.prefix, other.prefix.to_string(), other.name));
  check_free_name(siblings, subnet.name);
  check_quota(call, account_id, "subnets", static_cast<std::int64_t>(siblings.size()),
              "subnets per VPC");
  const auto id = new_id("sub");
  call.tx.exec_params(
      "INSERT INTO subnet (id, vpc_id, account_id, name, prefix, description, created_at) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7)",
      id, vpc.id, account_id, subnet.name, prefix.to_string(), subnet.description, sql(call.now));
  return get_subnet(call, account_id, vpc.id, id);
}

Subnet get_subnet(const Call& call, const std::string& account_id, const std::string& vpc,
                  const std::string& id_or_name) {
  const auto vpc_id = vpc.empty() ? "" : get_vpc(call, account_id, vpc).id;
  const auto found = call.tx.exec_params(
      std::string(kSubnets) +
          "WHERE s.account_id = $1 AND (s.id = $2 OR s.name = $2) AND $3 IN ('', s.vpc_id)",
      account_id, id_or_name, vpc_id);
  if (found.empty())
    throw Refusal(Errc::NotFound,
                  fmt::format("There is no subnet '{}'{}. `iothub manage subnet list` shows those "
                              "that there are.",
                              id_or_name, vpc.empty() ? "" : " in the VPC '" + vpc + "'"));
  if (found.size() > 1)
    throw Refusal(
        Errc::InvalidRequest,
        fmt::format("Several VPCs have a subnet '{}': name the VPC, too, or the subnet by "
                    "its id.",
                    id_or_name));
  return subnet_of(found[0]);
}

std::vector<Subnet> list_subnets(const Call& call, const std::string& account_id,
                                 const std::string& vpc) {
  const auto vpc_id = vpc.empty() ? "" : get_vpc(call, account_id, vpc).id;
  std::vector<Subnet> subnets;
  for (const auto& row : call.tx.exec_params(
           std::string(kSubnets) +
               "WHERE s.account_id = $1 AND $2 IN ('', s.vpc_id) ORDER BY s.created_at, s.id",
           account_id, vpc_id))
    subnets.push_back(subnet_of(row));
  return subnets;
}

Subnet update_subnet(const Call& call, const std::string& account_id, const std::string& id,
                     const Renaming& change) {
  lock_account(call, account_id);
  const auto subnet = get_subnet(call, account_id, "", id);
  check_version(change.version, subnet.version);
  if (change.name && *change.name != subnet.name) {
    check_name("subnet", *change.name);
    check_free_name(list_subnets(call, account_id, subnet.vpc_id), *change.name);
  }
  if (change.description) check_description(*change.description);
  call.tx.exec_params(
      "UPDATE subnet SET name = coalesce($2, name), description = coalesce($3, description), "
      "version = version + 1 WHERE id = $1",
      subnet.id, change.name, change.description);
  return get_subnet(call, account_id, subnet.vpc_id, subnet.id);
}

std::string delete_subnet(const Call& call, const std::string& account_id, const std::string& id) {
  lock_account(call, account_id);
  const auto subnet = get_subnet(call, account_id, "", id);
  const auto holder = call.tx.exec_params(
      "SELECT a.instance_id, coalesce(h.name, r.name) FROM address a "
      "LEFT JOIN hub_instance h ON h.id = a.instance_id "
      "LEFT JOIN rds_instance r ON r.id = a.instance_id WHERE a.subnet_id = $1 LIMIT 1",
      subnet.id);
  if (!holder.empty())
    throw Refusal(
        Errc::ResourceInUse,
        fmt::format("The subnet '{}' holds {} ('{}'). Delete what is in it first.", subnet.name,
                    holder[0][0].as<std::string>(), holder[0][1].as<std::string>("")));
  call.tx.exec_params("UPDATE subnet SET state = 'deleting', version = version + 1 WHERE id = $1",
                      subnet.id);
  return start_operation(call, account_id, OperationKind::subnet_delete, subnet.id);
}

}  // namespace hub::instances
