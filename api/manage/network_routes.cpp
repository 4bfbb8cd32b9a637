#include <boost/json/array.hpp>

#include "api/manage/manage_api.h"
#include "api/manage/shapes.h"

namespace hub::api {
namespace {

using namespace instances;
using http::Problem;
using http::Schema;
using F = http::FieldType;
using Turn = ManageApi::Turn;
using Answer = ManageApi::Answer;

const Schema kNewVpc{"NewVpc",
                     {{"name", F::text, true, "1 to 32 characters"},
                      {"region", F::text, false, "cn-north-1"},
                      {"addressPrefix", F::text, false,
                       "A private range with a mask of 16 to 28; empty: grows with its subnets"},
                      {"description", F::text, false, ""}}};
const Schema kNewSubnet{"NewSubnet",
                        {{"vpc", F::text, true, "Its id or name"},
                         {"name", F::text, true, "1 to 32 characters"},
                         {"addressPrefix", F::text, true, "Inside of the VPC's; mask 16 to 28"},
                         {"description", F::text, false, ""}}};
const Schema kRenaming{"Renaming",
                       {{"name", F::text, false, ""}, {"description", F::text, false, ""}}};
const Schema kNewGroup{"NewSecurityGroup",
                       {{"vpc", F::text, true, "Its id or name"},
                        {"name", F::text, true, "1 to 32 characters"},
                        {"description", F::text, false, ""}}};
const Schema kNewRule{"NewSecurityRule",
                      {{"direction", F::text, true, "inbound or outbound"},
                       {"protocol", F::text, true, "all, tcp, udp or icmp"},
                       {"addressPrefix", F::text, false, "The other end; 0.0.0.0/0"},
                       {"fromPort", F::integer, false, "With tcp and udp: 1 to 65535"},
                       {"toPort", F::integer, false, "The same as fromPort when left out"},
                       {"description", F::text, false, ""}}};
const Schema kStarted{"Started", {{"operationId", F::text, true, "The work that does it"}}};

Renaming renaming_of(const Turn& turn) {
  Renaming change{.name = {}, .description = {}, .version = turn.expected_version()};
  if (turn.request.body.contains("name")) change.name = turn.text("name");
  if (turn.request.body.contains("description")) change.description = turn.text("description");
  return change;
}

Answer one(const Vpc& vpc) { return {shapes::of(vpc), vpc.version, false}; }
Answer one(const Subnet& subnet) { return {shapes::of(subnet), subnet.version, false}; }
Answer one(const SecurityGroup& group) { return {shapes::of(group), group.version, false}; }
Answer started(const std::string& operation) { return {{{"operationId", operation}}, {}, false}; }

std::uint16_t port_of(const Turn& turn, const char* name, std::int64_t otherwise) {
  const auto port = turn.integer(name, otherwise);
  if (port < 0 || port > 65535) throw Problem::invalid("A port is 1 to 65535.");
  return static_cast<std::uint16_t>(port);
}

Answer add_one_rule(const Turn& turn) {
  const auto prefix = turn.text("addressPrefix", "0.0.0.0/0");
  const auto peer = parse_cidr(prefix);
  if (!peer)
    throw Refusal(Errc::InvalidCidr, "'" + prefix + "' is no address range, such as 10.1.0.0/16.");
  const auto from = port_of(turn, "fromPort", 0);
  const SecurityRule rule{.id = {},
                          .traffic = {.direction = parse_direction(turn.text("direction")),
                                      .protocol = parse_protocol(turn.text("protocol")),
                                      .peer = *peer,
                                      .from_port = from,
                                      .to_port = port_of(turn, "toPort", from)},
                          .description = turn.text("description"),
                          .is_default = false};
  return {shapes::of(add_rule(turn.call, turn.account, turn.parameter("group"), rule)), {}, false};
}

void add_vpc_routes(ManageApi& api, std::vector<http::Route>& routes) {
  routes.push_back({.method = "POST",
                    .path = "/v1/vpcs",
                    .id = "createVpc",
                    .about = "Makes a private network",
                    .scope = "write",
                    .request = &kNewVpc,
                    .answer = &shapes::vpc,
                    .status = 201,
                    .query = {},
                    .handler = api.signed_in([](const Turn& turn) {
                      return one(create_vpc(turn.call, turn.account,
                                            {.name = turn.text("name"),
                                             .region = turn.text("region", "cn-north-1"),
                                             .prefix = turn.text("addressPrefix"),
                                             .description = turn.text("description")}));
                    })});
  routes.push_back({.method = "GET",
                    .path = "/v1/vpcs",
                    .id = "listVpcs",
                    .about = "The account's VPCs",
                    .scope = "read",
                    .answer = &shapes::vpc,
                    .is_list = true,
                    .query = {},
                    .handler = api.list([](const Turn& turn, int offset, int limit) {
                      return page_of(list_vpcs(turn.call, turn.account), offset, limit,
                                     [](const Vpc& v) { return shapes::of(v); });
                    })});
  routes.push_back({.method = "GET",
                    .path = "/v1/vpcs/{vpc}",
                    .id = "getVpc",
                    .about = "One VPC, by id or name",
                    .scope = "read",
                    .answer = &shapes::vpc,
                    .query = {},
                    .handler = api.signed_in([](const Turn& turn) {
                      return one(get_vpc(turn.call, turn.account, turn.parameter("vpc")));
                    })});
  routes.push_back(
      {.method = "PATCH",
       .path = "/v1/vpcs/{vpc}",
       .id = "updateVpc",
       .about = "Changes a VPC's name or description",
       .scope = "write",
       .request = &kRenaming,
       .answer = &shapes::vpc,
       .query = {},
       .handler = api.signed_in([](const Turn& turn) {
         return one(update_vpc(turn.call, turn.account, turn.parameter("vpc"), renaming_of(turn)));
       })});
  routes.push_back({.method = "DELETE",
                    .path = "/v1/vpcs/{vpc}",
                    .id = "deleteVpc",
                    .about = "Deletes a VPC that has no subnets",
                    .scope = "write",
                    .answer = &kStarted,
                    .status = 202,
                    .query = {},
                    .handler = api.signed_in([](const Turn& turn) {
                      return started(delete_vpc(turn.call, turn.account, turn.parameter("vpc")));
                    })});
}

void add_subnet_routes(ManageApi& api, std::vector<http::Route>& routes) {
  routes.push_back({.method = "POST",
                    .path = "/v1/subnets",
                    .id = "createSubnet",
                    .about = "Makes a subnet of a VPC",
                    .scope = "write",
                    .request = &kNewSubnet,
                    .answer = &shapes::subnet,
                    .status = 201,
                    .query = {},
                    .handler = api.signed_in([](const Turn& turn) {
                      return one(create_subnet(turn.call, turn.account,
                                               {.vpc = turn.text("vpc"),
                                                .name = turn.text("name"),
                                                .prefix = turn.text("addressPrefix"),
                                                .description = turn.text("description")}));
                    })});
  routes.push_back({.method = "GET",
                    .path = "/v1/subnets",
                    .id = "listSubnets",
                    .about = "The account's subnets",
                    .scope = "read",
                    .answer = &shapes::subnet,
                    .is_list = true,
                    .query = {"vpc"},
                    .handler = api.list([](const Turn& turn, int offset, int limit) {
                      return page_of(list_subnets(turn.call, turn.account, turn.query("vpc")),
                                     offset, limit, [](const Subnet& s) { return shapes::of(s); });
                    })});
  routes.push_back({.method = "GET",
                    .path = "/v1/subnets/{subnet}",
                    .id = "getSubnet",
                    .about = "One subnet, by id or name",
                    .scope = "read",
                    .answer = &shapes::subnet,
                    .query = {"vpc"},
                    .handler = api.signed_in([](const Turn& turn) {
                      return one(get_subnet(turn.call, turn.account, turn.query("vpc"),
                                            turn.parameter("subnet")));
                    })});
  routes.push_back({.method = "PATCH",
                    .path = "/v1/subnets/{subnet}",
                    .id = "updateSubnet",
                    .about = "Changes a subnet's name or description",
                    .scope = "write",
                    .request = &kRenaming,
                    .answer = &shapes::subnet,
                    .query = {},
                    .handler = api.signed_in([](const Turn& turn) {
                      return one(update_subnet(turn.call, turn.account, turn.parameter("subnet"),
                                               renaming_of(turn)));
                    })});
  routes.push_back({.method = "DELETE",
                    .path = "/v1/subnets/{subnet}",
                    .id = "deleteSubnet",
                    .about = "Deletes a subnet that holds nothing",
                    .scope = "write",
                    .answer = &kStarted,
                    .status = 202,
                    .query = {},
                    .handler = api.signed_in([](const Turn& turn) {
                      return started(
                          delete_subnet(turn.call, turn.account, turn.parameter("subnet")));
                    })});
}

}  // namespace

void add_network_routes(ManageApi& api, std::vector<http::Route>& routes) {
  add_vpc_routes(api, routes);
  add_subnet_routes(api, routes);
  routes.push_back({.method = "POST",
                    .path = "/v1/security-groups",
                    .id = "createSecurityGroup",
                    .about = "Makes a security group, which lets nothing in yet",
                    .scope = "write",
                    .request = &kNewGroup,
                    .answer = &shapes::security_group,
                    .status = 201,
                    .query = {},
                    .handler = api.signed_in([](const Turn& turn) {
                      return one(create_group(turn.call, turn.account,
                                              {.vpc = turn.text("vpc"),
                                               .name = turn.text("name"),
                                               .description = turn.text("description")}));
                    })});
  routes.push_back({.method = "GET",
                    .path = "/v1/security-groups",
                    .id = "listSecurityGroups",
                    .about = "The account's security groups with their rules",
                    .scope = "read",
                    .answer = &shapes::security_group,
                    .is_list = true,
                    .query = {"vpc"},
                    .handler = api.list([](const Turn& turn, int offset, int limit) {
                      return page_of(list_groups(turn.call, turn.account, turn.query("vpc")),
                                     offset, limit,
                                     [](const SecurityGroup& g) { return shapes::of(g); });
                    })});
  routes.push_back(
      {.method = "GET",
       .path = "/v1/security-groups/{group}",
       .id = "getSecurityGroup",
       .about = "One security group, by id or name",
       .scope = "read",
       .answer = &shapes::security_group,
       .query = {"vpc"},
       .handler = api.signed_in([](const Turn& turn) {
         return one(get_group(turn.call, turn.account, turn.query("vpc"), turn.parameter("group")));
       })});
  routes.push_back({.method = "DELETE",
                    .path = "/v1/security-groups/{group}",
                    .id = "deleteSecurityGroup",
                    .about = "Deletes a security group that no instance has",
                    .scope = "write",
                    .status = 204,
                    .query = {},
                    .handler = api.signed_in([](const Turn& turn) {
                      delete_group(turn.call, turn.account, turn.parameter("group"));
                      return Answer{};
                    })});
  routes.push_back({.method = "POST",
                    .path = "/v1/security-groups/{group}/rules",
                    .id = "addSecurityRule",
                    .about = "Allows some traffic",
                    .scope = "write",
                    .request = &kNewRule,
                    .answer = &shapes::security_rule,
                    .status = 201,
                    .query = {},
                    .handler = api.signed_in(add_one_rule)});
  routes.push_back({.method = "DELETE",
                    .path = "/v1/security-groups/{group}/rules/{rule}",
                    .id = "removeSecurityRule",
                    .about = "Takes a rule away",
                    .scope = "write",
                    .status = 204,
                    .query = {},
                    .handler = api.signed_in([](const Turn& turn) {
                      remove_rule(turn.call, turn.account, turn.parameter("group"),
                                  turn.parameter("rule"));
                      return Answer{};
                    })});
}

}  // namespace hub::api
