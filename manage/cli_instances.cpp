// The commands about what is made on the machine: networks, databases, hubs.
#include <CLI/CLI.hpp>

#include "manage/cli.h"
#include "manage/commands.h"

namespace hub::manage::cli {

namespace json = boost::json;

namespace {

void add_hub_size(CLI::App* sub, Options& options) {
  sub->add_option("--shards", options.shards, "Threads that serve devices");
  sub->add_option("--max-devices", options.devices, "Connected at the same time");
  sub->add_option("--max-messages", options.messages, "A day, sent and got; 0: no cap");
  sub->add_option("--security-group", options.groups, "1 to 5 of the VPC's");
  sub->add_option("--description", options.description);
}

json::object hub_size(const Options& o) {
  auto body = given({{"description", o.description}});
  if (o.shards) body["shards"] = o.shards;
  if (o.devices) body["maxDevices"] = o.devices;
  if (o.messages >= 0) body["maxMessages"] = o.messages;
  if (!o.groups.empty()) body["securityGroups"] = json::array(o.groups.begin(), o.groups.end());
  return body;
}

void add_vpcs(CLI::App& app, Options& options) {
  auto* vpc = group(app, "vpc", "private networks");
  auto* make = add(*vpc, options, "create", "make one", [](Client& c, Options& o) {
    create_thing(c, o.console, "vpc",
                 given({{"name", o.name},
                        {"addressPrefix", o.cidr},
                        {"region", o.region},
                        {"description", o.description}}));
  });
  make->add_option("--name", options.name)->required();
  make->add_option("--cidr", options.cidr, "A private range, mask 16 to 28; none: grows");
  make->add_option("--region", options.region, "[cn-north-1]");
  make->add_option("--description", options.description);
  add_listing(*vpc, options, "vpc");
  add_deletion(*vpc, options, "vpc");
}

void add_subnets(CLI::App& app, Options& options) {
  auto* subnet = group(app, "subnet", "their subnets");
  auto* make = add(*subnet, options, "create", "make one", [](Client& c, Options& o) {
    create_thing(c, o.console, "subnet",
                 given({{"vpc", o.vpc},
                        {"name", o.name},
                        {"addressPrefix", o.cidr},
                        {"description", o.description}}));
  });
  make->add_option("--vpc", options.vpc)->required();
  make->add_option("--name", options.name)->required();
  make->add_option("--cidr", options.cidr, "Inside of the VPC's")->required();
  make->add_option("--description", options.description);
  add_listing(*subnet, options, "subnet");
  add_deletion(*subnet, options, "subnet");
}

void make_group(Client& client, Options& o) {
  create_thing(client, o.console, "sg",
               given({{"vpc", o.vpc}, {"name", o.name}, {"description", o.description}}));
}

void add_rule(Client& client, Options& o) {
  json::object rule{{"direction", o.direction}, {"protocol", o.protocol}};
  if (!o.cidr.empty()) rule["addressPrefix"] = o.cidr;
  if (o.port) rule["fromPort"] = o.port;
  if (o.port) rule["toPort"] = o.to_port ? o.to_port : o.port;
  const auto made = client.post("/v1/security-groups/" + url_encoded(o.ref) + "/rules", rule);
  o.console.object(made);
  o.console.say("The rule " + shown(made, "ruleId") + " is in force.");
}

void remove_rule(Client& client, Options& o) {
  client.remove("/v1/security-groups/" + url_encoded(o.ref) + "/rules/" + url_encoded(o.rule));
}

void add_security_groups(CLI::App& app, Options& options) {
  auto* sg = group(app, "sg", "security groups");
  auto* make = add(*sg, options, "create", "make one, which lets nothing in yet", make_group);
  make->add_option("--vpc", options.vpc)->required();
  make->add_option("--name", options.name)->required();
  make->add_option("--description", options.description);
  auto* allow = add(*sg, options, "allow", "add a rule", add_rule);
  allow->add_option("GROUP", options.ref)->required();
  allow->add_option("--direction", options.direction)->capture_default_str();
  allow->add_option("--protocol", options.protocol)->capture_default_str();
  allow->add_option("--cidr", options.cidr, "The other end [anyone]");
  allow->add_option("--port", options.port, "With tcp and udp");
  allow->add_option("--to-port", options.to_port, "The last of several");
  auto* forbid = add(*sg, options, "remove-rule", "take a rule away", remove_rule);
  forbid->add_option("GROUP", options.ref)->required();
  forbid->add_option("RULE", options.rule, "Its id")->required();
  add_listing(*sg, options, "sg");
  add_deletion(*sg, options, "sg");
}

void order_rds(Client& client, Options& o) {
  auto body = given({{"name", o.name},
                     {"vpc", o.vpc},
                     {"subnet", o.subnet},
                     {"engine", o.engine},
                     {"instanceClass", o.klass},
                     {"region", o.region},
                     {"zone", o.zone},
                     {"chargeMode", o.charge},
                     {"administrator", o.admin}});
  body["instanceStorageGB"] = o.storage;
  if (o.months) body["months"] = o.months;
  if (o.port) body["port"] = o.port;
  order_thing(client, o.console, "rds", body, o.coupon);
  o.console.say("Next: iothub manage rds init " + o.name);
}

void add_rds_order(CLI::App& rds, Options& options) {
  auto* make = add(rds, options, "create", "order one", order_rds);
  make->add_option("--name", options.name)->required();
  make->add_option("--engine", options.engine)->capture_default_str();
  make->add_option("--vpc", options.vpc)->required();
  make->add_option("--subnet", options.subnet)->required();
  make->add_option("--class", options.klass, "1c1g, 1c2g, 1c4g, 2c8g, ...")->capture_default_str();
  make->add_option("--storage", options.storage, "GB, of those that the class has")
      ->capture_default_str();
  make->add_option("--region", options.region, "[cn-north-1]");
  make->add_option("--zone", options.zone, "[the region's first]");
  make->add_option("--port", options.port, "[5432]");
  make->add_option("--charge", options.charge, "configuration or monthly")->capture_default_str();
  make->add_option("--months", options.months, "Of a package");
  make->add_option("--coupon", options.coupon, "Of a package: the one to use");
  make->add_option("--administrator", options.admin, "[iotadmin]");
}

void add_rds_work(CLI::App& rds, Options& options) {
  const auto work = [&](const char* verb, const char* help) {
    auto* sub = add(rds, options, verb, help, [verb = std::string(verb)](Client& c, Options& o) {
      work_on_thing(c, o.console, "rds", o.ref, verb,
                    given({{"file", o.file}, {"from", o.source}}));
    });
    sub->add_option("REF", options.ref, "Name or id")->required();
    return sub;
  };
  work("init", "apply the initialisation script");
  auto* backup = work("backup", "write the database to a file");
  auto* restore = work("restore", "replace the database by what a file holds");
  for (auto* sub : {backup, restore})
    sub->add_option("FILE", options.file, "A name in the control plane's folder of backups")
        ->required();
  restore->add_option("--from", options.source, "The database that the file is a backup of [REF]");
}

void register_rds(Client& client, Options& o) {
  const auto started =
      client.post("/v1/external-rds",
                  given({{"name", o.name}, {"vpc", o.vpc}, {"subnet", o.subnet}, {"url", o.url}}));
  o.console.object(started);
  follow(client, o.console, shown(started, "operationId"));
}

void add_rds_registration(CLI::App& rds, Options& options) {
  auto* external =
      add(rds, options, "register", "use a PostgreSQL server that is not ours", register_rds);
  external->add_option("--name", options.name)->required();
  external->add_option("--vpc", options.vpc)->required();
  external->add_option("--subnet", options.subnet)->required();
  external->add_option("--url", options.url, "postgresql://user:password@host/database")
      ->required();
}

void renew_rds(Client& client, Options& o) {
  const auto order =
      client.post("/v1/rds/" + url_encoded(o.ref) + ":renew", {{"months", o.months}});
  carry_out_order(client, o.console, order, o.coupon);
}

void let_rds_renew_itself(Client& client, Options& o) {
  client.put("/v1/rds/" + url_encoded(o.ref) + "/auto-renew", {{"on", !o.off}});
}

void add_rds_renewal(CLI::App& rds, Options& options) {
  auto* renew = add(rds, options, "renew", "order more months of a package", renew_rds);
  renew->add_option("REF", options.ref)->required();
  renew->add_option("--months", options.months)->required();
  renew->add_option("--coupon", options.coupon);
  auto* automatic =
      add(rds, options, "auto-renew", "let a package renew itself", let_rds_renew_itself);
  automatic->add_option("REF", options.ref)->required();
  automatic->add_flag("--off", options.off, "No longer");
}

}  // namespace

void add_networks(CLI::App& app, Options& options) {
  add_vpcs(app, options);
  add_subnets(app, options);
  add_security_groups(app, options);
}

void add_rds(CLI::App& app, Options& options) {
  auto* rds = group(app, "rds", "database instances");
  add_rds_order(*rds, options);
  add_rds_work(*rds, options);
  add_rds_registration(*rds, options);
  add_rds_renewal(*rds, options);
  add_listing(*rds, options, "rds");
  add_deletion(*rds, options, "rds");
}

void add_hubs(CLI::App& app, Options& options) {
  auto* hub = group(app, "hub", "hub instances");
  auto* make = add(*hub, options, "create", "order one", [](Client& c, Options& o) {
    auto body = given({{"name", o.name},
                       {"region", o.region},
                       {"vpc", o.vpc},
                       {"subnet", o.subnet},
                       {"rds", o.rds}});
    for (const auto& [field, value] : hub_size(o)) body[field] = value;
    order_thing(c, o.console, "hub", body, "");
  });
  make->add_option("--name", options.name)->required();
  make->add_option("--region", options.region, "[cn-north-1]");
  make->add_option("--vpc", options.vpc)->required();
  make->add_option("--subnet", options.subnet)->required();
  make->add_option("--rds", options.rds, "A database of the VPC, initialised")->required();
  add_hub_size(make, options);
  auto* update = add(*hub, options, "update", "change one; a change of size restarts it",
                     [](Client& c, Options& o) { update_hub(c, o.console, o.ref, hub_size(o)); });
  update->add_option("REF", options.ref, "Name or id")->required();
  add_hub_size(update, options);
  add(*hub, options, "upgrade", "restart one on the program of now",
      [](Client& c, Options& o) { work_on_thing(c, o.console, "hub", o.ref, "upgrade"); })
      ->add_option("REF", options.ref, "Name or id")
      ->required();
  add(*hub, options, "usage", "what it counted for its bills, day by day",
      [](Client& c, Options& o) { list_usage(c, o.console, o.ref); })
      ->add_option("REF", options.ref, "Name or id")
      ->required();
  add_listing(*hub, options, "hub");
  add_deletion(*hub, options, "hub");
}

}  // namespace hub::manage::cli
