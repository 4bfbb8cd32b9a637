#include "api/manage/api_routes.h"

namespace hub::api {
namespace {

using namespace instances;
using http::Schema;
using F = http::FieldType;

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

Renaming renaming_of(const Turn& turn) {
  Renaming change{.name = {}, .description = {}, .version = turn.expected_version()};
  if (turn.request.body.contains("name")) change.name = turn.text("name");
  if (turn.request.body.contains("description")) change.description = turn.text("description");
  return change;
}

Answer answer_of(const Vpc& vpc) { return {shapes::of(vpc), vpc.version}; }

Answer make_vpc(const Turn& turn) {
  return answer_of(create_vpc(turn.call, turn.account,
                              {.name = turn.text("name"),
                               .region = turn.text("region", "cn-north-1"),
                               .prefix = turn.text("addressPrefix"),
                               .description = turn.text("description")}));
}

PageOf page_of_vpcs(const Turn& turn, int offset, int limit) {
  return page_of(list_vpcs(turn.call, turn.account), offset, limit);
}

Answer one_vpc(const Turn& turn) {
  return answer_of(get_vpc(turn.call, turn.account, turn.parameter("vpc")));
}

Answer rename_vpc(const Turn& turn) {
  return answer_of(update_vpc(turn.call, turn.account, turn.parameter("vpc"), renaming_of(turn)));
}

Answer remove_vpc(const Turn& turn) {
  return started(delete_vpc(turn.call, turn.account, turn.parameter("vpc")));
}

Answer answer_of(const Subnet& subnet) { return {shapes::of(subnet), subnet.version}; }

Answer make_subnet(const Turn& turn) {
  return answer_of(create_subnet(turn.call, turn.account,
                                 {.vpc = turn.text("vpc"),
                                  .name = turn.text("name"),
                                  .prefix = turn.text("addressPrefix"),
                                  .description = turn.text("description")}));
}

PageOf page_of_subnets(const Turn& turn, int offset, int limit) {
  return page_of(list_subnets(turn.call, turn.account, turn.query("vpc")), offset, limit);
}

Answer one_subnet(const Turn& turn) {
  return answer_of(
      get_subnet(turn.call, turn.account, turn.query("vpc"), turn.parameter("subnet")));
}

Answer rename_subnet(const Turn& turn) {
  return answer_of(
      update_subnet(turn.call, turn.account, turn.parameter("subnet"), renaming_of(turn)));
}

Answer remove_subnet(const Turn& turn) {
  return started(delete_subnet(turn.call, turn.account, turn.parameter("subnet")));
}

}  // namespace

std::vector<ApiRoute> vpc_routes() {
  return {
      {"POST", "/v1/vpcs", "createVpc", "write", "Makes a private network", make_vpc,
       Shape{.request = &kNewVpc, .answer = &shapes::vpc, .status = 201}},
      {"GET", "/v1/vpcs", "listVpcs", "read", "The account's VPCs", page_of_vpcs,
       Shape{.answer = &shapes::vpc}},
      {"GET", "/v1/vpcs/{vpc}", "getVpc", "read", "One VPC, by id or name", one_vpc,
       Shape{.answer = &shapes::vpc}},
      {"PATCH", "/v1/vpcs/{vpc}", "updateVpc", "write", "Changes a VPC's name or description",
       rename_vpc, Shape{.request = &kRenaming, .answer = &shapes::vpc}},
      {"DELETE", "/v1/vpcs/{vpc}", "deleteVpc", "write", "Deletes a VPC that has no subnets",
       remove_vpc, Shape{.answer = &shapes::started, .status = 202}},
  };
}

std::vector<ApiRoute> subnet_routes() {
  return {
      {"POST", "/v1/subnets", "createSubnet", "write", "Makes a subnet of a VPC", make_subnet,
       Shape{.request = &kNewSubnet, .answer = &shapes::subnet, .status = 201}},
      {"GET", "/v1/subnets", "listSubnets", "read", "The account's subnets", page_of_subnets,
       Shape{.answer = &shapes::subnet, .query = {"vpc"}}},
      {"GET", "/v1/subnets/{subnet}", "getSubnet", "read", "One subnet, by id or name", one_subnet,
       Shape{.answer = &shapes::subnet, .query = {"vpc"}}},
      {"PATCH", "/v1/subnets/{subnet}", "updateSubnet", "write",
       "Changes a subnet's name or description", rename_subnet,
       Shape{.request = &kRenaming, .answer = &shapes::subnet}},
      {"DELETE", "/v1/subnets/{subnet}", "deleteSubnet", "write",
       "Deletes a subnet that holds nothing", remove_subnet,
       Shape{.answer = &shapes::started, .status = 202}},
  };
}

}  // namespace hub::api
