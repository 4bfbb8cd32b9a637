#include "api/manage/api_routes.h"
#include "http/problem.h"
#include "instances/core/errc.h"

namespace hub::api {
namespace {

using namespace instances;
using http::Problem;
using http::Schema;
using F = http::FieldType;

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

Answer answer_of(const SecurityGroup& group) { return {shapes::of(group), group.version}; }

Answer create_one(const Turn& turn) {
  return answer_of(create_group(turn.call, turn.account,
                                {.vpc = turn.text("vpc"),
                                 .name = turn.text("name"),
                                 .description = turn.text("description")}));
}

PageOf list_all(const Turn& turn, int offset, int limit) {
  return page_of(list_groups(turn.call, turn.account, turn.query("vpc")), offset, limit);
}

Answer get_one(const Turn& turn) {
  return answer_of(get_group(turn.call, turn.account, turn.query("vpc"), turn.parameter("group")));
}

Answer delete_one(const Turn& turn) {
  delete_group(turn.call, turn.account, turn.parameter("group"));
  return {};
}

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
  return {shapes::of(add_rule(turn.call, turn.account, turn.parameter("group"), rule))};
}

Answer remove_one_rule(const Turn& turn) {
  remove_rule(turn.call, turn.account, turn.parameter("group"), turn.parameter("rule"));
  return {};
}

}  // namespace

std::vector<ApiRoute> security_group_routes() {
  return {
      {"POST", "/v1/security-groups", "createSecurityGroup", "write",
       "Makes a security group, which lets nothing in yet", create_one,
       Shape{.request = &kNewGroup, .answer = &shapes::security_group, .status = 201}},
      {"GET", "/v1/security-groups", "listSecurityGroups", "read",
       "The account's security groups with their rules", list_all,
       Shape{.answer = &shapes::security_group, .query = {"vpc"}}},
      {"GET", "/v1/security-groups/{group}", "getSecurityGroup", "read",
       "One security group, by id or name", get_one,
       Shape{.answer = &shapes::security_group, .query = {"vpc"}}},
      {"DELETE", "/v1/security-groups/{group}", "deleteSecurityGroup", "write",
       "Deletes a security group that no instance has", delete_one, Shape{.status = 204}},
      {"POST", "/v1/security-groups/{group}/rules", "addSecurityRule", "write",
       "Allows some traffic", add_one_rule,
       Shape{.request = &kNewRule, .answer = &shapes::security_rule, .status = 201}},
      {"DELETE", "/v1/security-groups/{group}/rules/{rule}", "removeSecurityRule", "write",
       "Takes a rule away", remove_one_rule, Shape{.status = 204}},
  };
}

}  // namespace hub::api
