#include "api/manage/api_routes.h"
#include "api/manage/offers.h"
#include "http/problem.h"

namespace hub::api {
namespace {

using namespace instances;
using http::Problem;
using http::Schema;
using F = http::FieldType;

const Schema kNewHub{"NewHub",
                     {{"name", F::text, true, "2 to 32 characters"},
                      {"description", F::text, false, ""},
                      {"region", F::text, false, "cn-north-1"},
                      {"vpc", F::text, true, "Its id or name"},
                      {"subnet", F::text, true, "Its id or name"},
                      {"rds", F::text, true, "A database of the same VPC, initialised"},
                      {"securityGroups", F::texts, false, "1 to 5; none: the VPC's open one"},
                      {"shards", F::integer, false, "1"},
                      {"maxDevices", F::integer, false, "100000"},
                      {"maxMessages", F::integer, false, "A day; 0: no cap"}}};
const Schema kHubChange{"HubChange",
                        {{"description", F::text, false, ""},
                         {"securityGroups", F::texts, false, ""},
                         {"shards", F::integer, false, ""},
                         {"maxDevices", F::integer, false, ""},
                         {"maxMessages", F::integer, false, ""}}};
const Schema kChanged{"HubChanged",
                      {{"hub", F::object, true, "", &shapes::hub},
                       {"operationId", F::text, true, "The restart; empty when none is needed"}}};

int shards_of(const Turn& turn, int otherwise) {
  const auto shards = turn.integer("shards", otherwise);
  if (shards < 1 || shards > 64) throw Problem::invalid("'shards' is 1 to 64.");
  return static_cast<int>(shards);
}

boost::json::object shown(const Turn& turn, const Hub& hub) {
  shapes::Around around;
  around.isolated = turn.parts.isolation == Isolation::namespaces;
  for (const auto& vpc : list_vpcs(turn.call, turn.account))
    if (vpc.id == hub.vpc_id) around.vpc_name = vpc.name;
  for (const auto& subnet : list_subnets(turn.call, turn.account, ""))
    if (subnet.id == hub.subnet_id) around.subnet_name = subnet.name;
  for (const auto& rds : list_rds(turn.call, turn.account))
    if (rds.id == hub.rds_id) around.rds_name = rds.name;
  around.security_groups = group_names(turn.call, hub.id);
  if (const auto charge = find_charge(turn.call, hub.id)) {
    around.charge_mode = charge->mode;
    around.charge_status = charge->status;
  }
  return shapes::of(hub, around);
}

Answer order_one(const Turn& turn) {
  NewHub hub;
  hub.name = turn.text("name");
  hub.description = turn.text("description");
  hub.region = turn.text("region", hub.region.c_str());
  hub.vpc = turn.text("vpc");
  hub.subnet = turn.text("subnet");
  hub.rds = turn.text("rds");
  hub.security_groups = turn.texts("securityGroups");
  hub.shards = shards_of(turn, hub.shards);
  hub.max_devices = turn.integer("maxDevices", hub.max_devices);
  hub.max_messages = turn.integer("maxMessages", hub.max_messages);
  return {describe_order(turn.call, order_hub(turn.call, turn.account, hub))};
}

PageOf list_all(const Turn& turn, int offset, int limit) {
  return page_of(list_hubs(turn.call, turn.account), offset, limit,
                 [&](const Hub& hub) { return shown(turn, hub); });
}

Answer get_one(const Turn& turn) {
  const auto hub = get_hub(turn.call, turn.account, turn.parameter("hub"));
  return {shown(turn, hub), hub.version};
}

PageOf list_usage_of_one(const Turn& turn, int offset, int limit) {
  const auto hub = get_hub(turn.call, turn.account, turn.parameter("hub"));
  return page_of(list_usage(turn.call, hub.id), offset, limit);
}

Answer change_one(const Turn& turn) {
  const auto& body = turn.request.body;
  HubChange change;
  change.version = turn.expected_version();
  if (body.contains("description")) change.description = turn.text("description");
  if (body.contains("securityGroups")) change.security_groups = turn.texts("securityGroups");
  if (body.contains("shards")) change.shards = shards_of(turn, 1);
  if (body.contains("maxDevices")) change.max_devices = turn.integer("maxDevices", 0);
  if (body.contains("maxMessages")) change.max_messages = turn.integer("maxMessages", 0);
  const auto operation = update_hub(turn.call, turn.account, turn.parameter("hub"), change);
  const auto hub = get_hub(turn.call, turn.account, turn.parameter("hub"));
  return {boost::json::object{{"hub", shown(turn, hub)}, {"operationId", operation}}, hub.version};
}

Answer upgrade_one(const Turn& turn) {
  return started(upgrade_hub(turn.call, turn.account, turn.parameter("hub")));
}

Answer delete_one(const Turn& turn) {
  return started(delete_hub(turn.call, turn.account, turn.parameter("hub"), turn.query("confirm")));
}

}  // namespace

std::vector<ApiRoute> hub_routes() {
  return {
      {"POST", "/v1/hubs", "orderHub", "write", "Orders a hub", order_one,
       Shape{.request = &kNewHub, .answer = &shapes::order, .status = 201}},
      {"GET", "/v1/hubs", "listHubs", "read", "The account's hubs", list_all,
       Shape{.answer = &shapes::hub}},
      {"GET", "/v1/hubs/{hub}", "getHub", "read", "One hub, by id or name", get_one,
       Shape{.answer = &shapes::hub}},
      {"GET", "/v1/hubs/{hub}/usage", "listHubUsage", "read",
       "What a hub counted for its bills, some seconds ago; the newest day first",
       list_usage_of_one, Shape{.answer = &shapes::usage}},
      {"PATCH", "/v1/hubs/{hub}", "updateHub", "write",
       "Changes a hub; a change of size restarts it, its sessions stay", change_one,
       Shape{.request = &kHubChange, .answer = &kChanged}},
      {"POST", "/v1/hubs/{hub}:upgrade", "upgradeHub", "write",
       "Restarts a hub on the program that the control plane has", upgrade_one,
       Shape{.answer = &shapes::started, .status = 202}},
      {"DELETE", "/v1/hubs/{hub}", "deleteHub", "write",
       "Deletes a hub for good; `confirm` repeats its name", delete_one,
       Shape{.answer = &shapes::started, .status = 202, .query = {"confirm"}}},
  };
}

}  // namespace hub::api
