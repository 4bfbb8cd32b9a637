#include "api/manage/api_routes.h"
#include "api/manage/offers.h"
#include "http/problem.h"

namespace hub::api {
namespace {

using namespace instances;
using http::Problem;
using http::Schema;
using F = http::FieldType;

const Schema kNewRds{"NewRds",
                     {{"name", F::text, true, "2 to 32 characters"},
                      {"region", F::text, false, "cn-north-1"},
                      {"zone", F::text, false, "The region's first"},
                      {"engine", F::text, false, "postgresql"},
                      {"vpc", F::text, true, "Its id or name"},
                      {"subnet", F::text, true, "Its id or name"},
                      {"instanceClass", F::text, false, "1c1g"},
                      {"instanceStorageGB", F::integer, false, "20"},
                      {"port", F::integer, false, "5432"},
                      {"chargeMode", F::text, false, "configuration or monthly"},
                      {"months", F::integer, false, "Of a package"},
                      {"administrator", F::text, false, "iotadmin"},
                      {"password", F::text, false, "Of the administrator; empty: a random one"}}};
const Schema kExternalRds{
    "ExternalRds",
    {{"name", F::text, true, "2 to 32 characters"},
     {"vpc", F::text, true, "Of the hubs that will use it"},
     {"subnet", F::text, true, ""},
     {"url", F::text, true, "postgresql://user:password@host:port/database"}}};
const Schema kFile{"BackupFile", {{"file", F::text, true, "A name without a folder"}}};
const Schema kRestore{
    "Restore",
    {{"file", F::text, true, "Name of a backup"},
     {"from", F::text, false, "The database that it is of, by id or name; none: the same one"}}};
const Schema kRenewal{"Renewal", {{"months", F::integer, true, "1 to 24"}}};
const Schema kAutoRenew{"AutoRenew", {{"on", F::boolean, true, ""}}};

boost::json::object shown(const Turn& turn, const Rds& rds) {
  shapes::Around around;
  around.isolated = rds.external_url.empty() && turn.parts.isolation == Isolation::namespaces;
  for (const auto& vpc : list_vpcs(turn.call, turn.account))
    if (vpc.id == rds.vpc_id) around.vpc_name = vpc.name;
  for (const auto& subnet : list_subnets(turn.call, turn.account, ""))
    if (subnet.id == rds.subnet_id) around.subnet_name = subnet.name;
  if (const auto charge = find_charge(turn.call, rds.id)) {
    around.charge_mode = charge->mode;
    around.charge_status = charge->status;
  }
  return shapes::of(rds, around);
}

Answer order_one(const Turn& turn) {
  NewRds rds;
  rds.name = turn.text("name");
  rds.region = turn.text("region", rds.region.c_str());
  rds.zone = turn.text("zone");
  rds.engine = turn.text("engine", rds.engine.c_str());
  rds.vpc = turn.text("vpc");
  rds.subnet = turn.text("subnet");
  rds.klass = turn.text("instanceClass", rds.klass.c_str());
  rds.charge_mode = turn.text("chargeMode", rds.charge_mode.c_str());
  rds.admin_name = turn.text("administrator", rds.admin_name.c_str());
  rds.admin_password = turn.text("password");
  const auto storage = turn.integer("instanceStorageGB", rds.storage_gb);
  const auto port = turn.integer("port", rds.port);
  const auto months = turn.integer("months", 0);
  if (storage < 0 || storage > 100'000 || port < 0 || port > 65535 || months < 0 || months > 100)
    throw Problem::invalid("Storage, port or months are out of range.");
  rds.storage_gb = static_cast<std::uint32_t>(storage);
  rds.port = static_cast<std::uint16_t>(port);
  rds.months = static_cast<int>(months);
  const auto ordered = order_rds(turn.call, turn.account, rds);
  auto body = describe_order(turn.call, ordered.order);
  if (!ordered.admin_password.empty()) body["adminPassword"] = ordered.admin_password;
  return {std::move(body)};
}

Answer register_one(const Turn& turn) {
  return started(register_rds(turn.call, turn.account,
                              {.name = turn.text("name"),
                               .vpc = turn.text("vpc"),
                               .subnet = turn.text("subnet"),
                               .url = turn.text("url")}));
}

PageOf list_all(const Turn& turn, int offset, int limit) {
  return page_of(list_rds(turn.call, turn.account), offset, limit,
                 [&](const Rds& rds) { return shown(turn, rds); });
}

Rds one(const Turn& turn) { return get_rds(turn.call, turn.account, turn.parameter("rds")); }

Answer get_one(const Turn& turn) {
  const auto rds = one(turn);
  return {shown(turn, rds), rds.version};
}

Answer initialize_one(const Turn& turn) {
  return started(initialize_rds(turn.call, turn.account, turn.parameter("rds")));
}

// Backups lie in a folder of the provider: a name cannot lead out of it.
std::string file_of(const Turn& turn) {
  auto file = turn.text("file");
  bool good = !file.empty() && file.size() <= 100 && file.front() != '.';
  for (const char c : file)
    good = good && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '.' || c == '-' || c == '_');
  if (!good) throw Problem::invalid("'file' is a name of letters, digits, '.', '-' and '_'.");
  return file;
}

Answer back_up_one(const Turn& turn) {
  return started(backup_rds(turn.call, turn.account, turn.parameter("rds"), file_of(turn)));
}

Answer restore_one(const Turn& turn) {
  return started(restore_rds(turn.call, turn.account, turn.parameter("rds"), turn.text("from"),
                             file_of(turn)));
}

Answer renew_one(const Turn& turn) {
  const auto rds = one(turn);
  const auto months = turn.integer("months", 0);
  if (months < 1 || months > 24) throw Problem::invalid("A package is renewed for 1 to 24 months.");
  const auto order = order_renewal(turn.call, turn.account, rds.id, static_cast<int>(months));
  return {describe_order(turn.call, order)};
}

Answer let_one_renew_itself(const Turn& turn) {
  const auto rds = one(turn);
  set_auto_renew(turn.call, turn.account, rds.id, turn.request.body.at("on").get_bool());
  return {};
}

Answer delete_one(const Turn& turn) {
  return started(delete_rds(turn.call, turn.account, turn.parameter("rds")));
}

}  // namespace

std::vector<ApiRoute> rds_routes() {
  return {
      {"POST", "/v1/rds", "orderRds", "write", "Orders a database instance", order_one,
       Shape{.request = &kNewRds, .answer = &shapes::order, .status = 201}},
      {"POST", "/v1/external-rds", "registerRds", "write",
       "Registers a PostgreSQL server that is not ours", register_one,
       Shape{.request = &kExternalRds, .answer = &shapes::started, .status = 202}},
      {"GET", "/v1/rds", "listRds", "read", "The account's database instances", list_all,
       Shape{.answer = &shapes::rds}},
      {"GET", "/v1/rds/{rds}", "getRds", "read", "One database instance, by id or name", get_one,
       Shape{.answer = &shapes::rds}},
      {"POST", "/v1/rds/{rds}:init", "initRds", "write",
       "Applies the hub's initialisation script to the database", initialize_one,
       Shape{.answer = &shapes::started, .status = 202}},
      {"POST", "/v1/rds/{rds}:backup", "backupRds", "write", "Writes the database to a file",
       back_up_one, Shape{.request = &kFile, .answer = &shapes::started, .status = 202}},
      {"POST", "/v1/rds/{rds}:restore", "restoreRds", "write",
       "Replaces the database by what a file holds", restore_one,
       Shape{.request = &kRestore, .answer = &shapes::started, .status = 202}},
      {"POST", "/v1/rds/{rds}:renew", "renewRds", "write", "Orders more months of a package",
       renew_one, Shape{.request = &kRenewal, .answer = &shapes::order, .status = 201}},
      {"PUT", "/v1/rds/{rds}/auto-renew", "autoRenewRds", "pay", "Whether a package renews itself",
       let_one_renew_itself, Shape{.request = &kAutoRenew, .status = 204}},
      {"DELETE", "/v1/rds/{rds}", "deleteRds", "write", "Deletes a database instance, and its data",
       delete_one, Shape{.answer = &shapes::started, .status = 202}},
  };
}

}  // namespace hub::api
