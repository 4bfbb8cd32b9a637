#include "instances/networks/security_groups.h"

#include <fmt/format.h>

#include <pqxx/pqxx>

#include "instances/core/errc.h"
#include "instances/core/names.h"
#include "instances/core/secrets.h"
#include "instances/networks/networks.h"

namespace hub::instances {
namespace {

TrafficRule traffic_of(const pqxx::row& row) {
  return {.direction = parse_direction(row["direction"].c_str()),
          .protocol = parse_protocol(row["protocol"].c_str()),
          .peer = parse_cidr(row["peer"].c_str()).value(),
          .from_port = row["from_port"].as<std::uint16_t>(),
          .to_port = row["to_port"].as<std::uint16_t>()};
}

SecurityGroup group_of(const Call& call, const pqxx::row& row) {
  SecurityGroup group{.id = row["id"].as<std::string>(),
                      .vpc_id = row["vpc_id"].as<std::string>(),
                      .name = row["name"].as<std::string>(),
                      .description = row["description"].as<std::string>(),
                      .is_default = row["is_default"].as<bool>(),
                      .version = row["version"].as<std::int64_t>(),
                      .rules = {}};
  for (const auto& rule : call.tx.exec_params(
           "SELECT * FROM security_rule WHERE group_id = $1 ORDER BY direction, id", group.id))
    group.rules.push_back({.id = rule["id"].as<std::string>(),
                           .traffic = traffic_of(rule),
                           .description = rule["description"].as<std::string>(),
                           .is_default = rule["is_default"].as<bool>()});
  return group;
}

std::string insert_rule(const Call& call, const std::string& group_id, const SecurityRule& rule) {
  const auto id = new_id("sgr");
  const auto& traffic = rule.traffic;
  const auto made = call.tx.exec_params(
      "INSERT INTO security_rule (id, group_id, direction, protocol, peer, from_port, to_port, "
      "description, is_default) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
      id, group_id, std::string(name_of(traffic.direction)), std::string(name_of(traffic.protocol)),
      traffic.peer.to_string(), traffic.from_port, traffic.to_port, rule.description,
      rule.is_default);
  if (made.affected_rows() == 0)
    throw Refusal(Errc::DuplicateName, "The group has this rule already.");
  return id;
}

std::string insert_group(const Call& call, const std::string& account_id, const std::string& vpc_id,
                         const std::string& name, const std::string& description, bool is_default) {
  const auto id = new_id("sg");
  call.tx.exec_params(
      "INSERT INTO security_group (id, vpc_id, account_id, name, description, is_default, "
      "created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
      id, vpc_id, account_id, name, description, is_default, sql(call.now));
  return id;
}

void insert_system_outbound(const Call& call, const std::string& group_id) {
  const auto allow = [&](Protocol protocol, std::uint16_t port) {
    insert_rule(call, group_id,
                {.id = {},
                 .traffic = {Direction::outbound, protocol, kAnywhere, port, port},
                 .description = {},
                 .is_default = true});
  };
  allow(Protocol::tcp, 80);
  for (const std::uint16_t port : {67, 68, 161}) allow(Protocol::udp, port);
}

void check_traffic(const TrafficRule& traffic) {
  const bool has_ports = traffic.protocol == Protocol::tcp || traffic.protocol == Protocol::udp;
  if (has_ports && (traffic.from_port == 0 || traffic.from_port > traffic.to_port))
    throw Refusal(Errc::InvalidRequest,
                  "A rule for TCP or UDP names its ports: from 1 to 65535, the first not above the "
                  "last.");
  if (!has_ports && (traffic.from_port != 0 || traffic.to_port != 0))
    throw Refusal(Errc::InvalidRequest, "Only a rule for TCP or UDP has ports. Leave them out.");
}

void rules_changed(const Call& call, const std::string& group_id) {
  call.tx.exec_params("UPDATE security_group SET version = version + 1 WHERE id = $1", group_id);
  call.tx.exec_params(
      "INSERT INTO stale_rules SELECT instance_id, $2 FROM attachment WHERE group_id = $1 "
      "ON CONFLICT (instance_id) DO UPDATE SET changed_at = excluded.changed_at",
      group_id, sql(call.now));
}

}  // namespace

void create_default_groups(const Call& call, const std::string& account_id,
                           const std::string& vpc_id) {
  const auto make = [&](const char* name, const char* description, std::uint16_t port) {
    const auto id = insert_group(call, account_id, vpc_id, name, description, true);
    insert_rule(call, id,
                {.id = {},
                 .traffic = {Direction::inbound, Protocol::tcp, kAnywhere, port, port},
                 .description = {},
                 .is_default = true});
    insert_system_outbound(call, id);
  };
  make("default-linux", "SSH", 22);
  make("default-windows", "Remote desktop", 3389);
  const auto open = insert_group(call, account_id, vpc_id, kOpenGroup, "Everything", true);
  for (const auto direction : {Direction::inbound, Direction::outbound})
    insert_rule(call, open,
                {.id = {},
                 .traffic = {direction, Protocol::all, kAnywhere, 0, 0},
                 .description = {},
                 .is_default = true});
}

SecurityGroup create_group(const Call& call, const std::string& account_id,
                           const NewSecurityGroup& group) {
  check_name("security group", group.name);
  check_description(group.description);
  lock_account(call, account_id);
  const auto vpc = get_vpc(call, account_id, group.vpc);
  const auto siblings = list_groups(call, account_id, vpc.id);
  for (const auto& other : siblings)
    if (other.name == group.name)
      throw Refusal(Errc::DuplicateName,
                    fmt::format("The VPC has a security group '{}' already. Choose another name.",
                                group.name));
  check_quota(call, account_id, "security_groups", static_cast<std::int64_t>(siblings.size()),
              "security groups per VPC");
  const auto id = insert_group(call, account_id, vpc.id, group.name, group.description, false);
  insert_system_outbound(call, id);
  return get_group(call, account_id, vpc.id, id);
}

SecurityGroup get_group(const Call& call, const std::string& account_id, const std::string& vpc,
                        const std::string& id_or_name) {
  const auto vpc_id = vpc.empty() ? "" : get_vpc(call, account_id, vpc).id;
  const auto found = call.tx.exec_params(
      "SELECT * FROM security_group WHERE account_id = $1 AND (id = $2 OR name = $2) "
      "AND $3 IN ('', vpc_id)",
      account_id, id_or_name, vpc_id);
  if (found.empty())
    throw Refusal(Errc::NotFound,
                  fmt::format("There is no security group '{}'{}. `iothub manage "
                              "sg list` shows those that there are.",
                              id_or_name, vpc.empty() ? "" : " in the VPC '" + vpc + "'"));
  if (found.size() > 1)
    throw Refusal(Errc::InvalidRequest,
                  fmt::format("Several VPCs have a security group '{}': name the VPC, too, or the "
                              "group by its id.",
                              id_or_name));
  return group_of(call, found[0]);
}

std::vector<SecurityGroup> list_groups(const Call& call, const std::string& account_id,
                                       const std::string& vpc) {
  const auto vpc_id = vpc.empty() ? "" : get_vpc(call, account_id, vpc).id;
  std::vector<SecurityGroup> groups;
  for (const auto& row : call.tx.exec_params(
           "SELECT * FROM security_group WHERE account_id = $1 AND $2 IN ('', vpc_id) "
           "ORDER BY created_at, name",
           account_id, vpc_id))
    groups.push_back(group_of(call, row));
  return groups;
}

void delete_group(const Call& call, const std::string& account_id, const std::string& id) {
  lock_account(call, account_id);
  const auto group = get_group(call, account_id, "", id);
  if (group.is_default)
    throw Refusal(
        Errc::InvalidState,
        fmt::format("'{}' is one of its VPC's default groups, and goes with the VPC.", group.name));
  const auto user = call.tx.exec_params(
      "SELECT h.name FROM attachment a JOIN hub_instance h ON h.id = a.instance_id "
      "WHERE a.group_id = $1 AND h.state <> 'ordered' LIMIT 1",
      group.id);
  if (!user.empty())
    throw Refusal(
        Errc::ResourceInUse,
        fmt::format("The hub '{}' has the security group '{}'. Give it another one first.",
                    user[0][0].as<std::string>(), group.name));
  call.tx.exec_params("DELETE FROM security_group WHERE id = $1", group.id);
}

SecurityRule add_rule(const Call& call, const std::string& account_id, const std::string& group_ref,
                      const SecurityRule& rule) {
  check_traffic(rule.traffic);
  check_description(rule.description);
  lock_account(call, account_id);
  const auto group = get_group(call, account_id, "", group_ref);
  check_quota(call, account_id, "security_rules", static_cast<std::int64_t>(group.rules.size()),
              "rules per security group");
  auto made = rule;
  made.is_default = false;
  made.id = insert_rule(call, group.id, made);
  rules_changed(call, group.id);
  return made;
}

void remove_rule(const Call& call, const std::string& account_id, const std::string& group_ref,
                 const std::string& rule_id) {
  lock_account(call, account_id);
  const auto group = get_group(call, account_id, "", group_ref);
  const auto gone = call.tx.exec_params("DELETE FROM security_rule WHERE id = $1 AND group_id = $2",
                                        rule_id, group.id);
  if (gone.affected_rows() == 0)
    throw Refusal(Errc::NotFound,
                  fmt::format("The security group '{}' has no rule '{}'.", group.name, rule_id));
  rules_changed(call, group.id);
}

void attach_groups(const Call& call, const std::string& account_id, const std::string& vpc_id,
                   const std::string& instance_id, const std::vector<std::string>& groups) {
  const auto wanted = groups.empty() ? std::vector<std::string>{kOpenGroup} : groups;
  check_quota(call, account_id, "groups_per_hub", static_cast<std::int64_t>(wanted.size()) - 1,
              "security groups per hub");
  detach_groups(call, instance_id);
  for (const auto& name : wanted) {
    SecurityGroup group;
    try {
      group = get_group(call, account_id, vpc_id, name);
    } catch (const Refusal& refusal) {
      if (refusal.code() != Errc::NotFound) throw;
      group = get_group(call, account_id, "", name);  // or there is none at all
      throw Refusal(Errc::VpcMismatch,
                    fmt::format("The security group '{}' is of another VPC than the instance. Name "
                                "one of the instance's VPC.",
                                name));
    }
    call.tx.exec_params("INSERT INTO attachment VALUES ($1, $2) ON CONFLICT DO NOTHING",
                        instance_id, group.id);
  }
  call.tx.exec_params(
      "INSERT INTO stale_rules VALUES ($1, $2) ON CONFLICT (instance_id) DO UPDATE "
      "SET changed_at = excluded.changed_at",
      instance_id, sql(call.now));
}

void detach_groups(const Call& call, const std::string& instance_id) {
  call.tx.exec_params("DELETE FROM attachment WHERE instance_id = $1", instance_id);
  call.tx.exec_params("DELETE FROM stale_rules WHERE instance_id = $1", instance_id);
}

std::vector<std::string> group_names(const Call& call, const std::string& instance_id) {
  std::vector<std::string> names;
  for (const auto& row : call.tx.exec_params(
           "SELECT g.name FROM attachment a JOIN security_group g ON g.id = a.group_id "
           "WHERE a.instance_id = $1 ORDER BY g.name",
           instance_id))
    names.push_back(row[0].as<std::string>());
  return names;
}

std::vector<TrafficRule> rules_of(const Call& call, const std::string& instance_id) {
  std::vector<TrafficRule> rules;
  for (const auto& row : call.tx.exec_params(
           "SELECT DISTINCT r.direction, r.protocol, r.peer, r.from_port, r.to_port "
           "FROM attachment a JOIN security_rule r ON r.group_id = a.group_id "
           "WHERE a.instance_id = $1 ORDER BY 1, 2, 3, 4, 5",
           instance_id))
    rules.push_back(traffic_of(row));
  return rules;
}

std::string_view name_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::all:
      return "all";
    case Protocol::tcp:
      return "tcp";
    case Protocol::udp:
      return "udp";
    case Protocol::icmp:
      return "icmp";
  }
  return "";
}

std::string_view name_of(Direction direction) {
  return direction == Direction::inbound ? "inbound" : "outbound";
}

Protocol parse_protocol(std::string_view name) {
  for (const auto protocol : {Protocol::all, Protocol::tcp, Protocol::udp, Protocol::icmp})
    if (name_of(protocol) == name) return protocol;
  throw Refusal(Errc::InvalidRequest,
                fmt::format("'{}' is no protocol: there are all, tcp, udp and icmp.", name));
}

Direction parse_direction(std::string_view name) {
  for (const auto direction : {Direction::inbound, Direction::outbound})
    if (name_of(direction) == name) return direction;
  throw Refusal(Errc::InvalidRequest,
                fmt::format("'{}' is no direction: there are inbound and outbound.", name));
}

}  // namespace hub::instances
