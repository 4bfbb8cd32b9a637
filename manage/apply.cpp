#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <functional>
#include <map>
#include <optional>

#include "manage/commands.h"
#include "manage/plan.h"

namespace hub::manage {
namespace {

namespace json = boost::json;

// What is to be done about one resource.
struct Action {
  std::string line;  // of the plan that is shown
  std::function<void()> act;
};

// How the API lists a kind, and under which of its fields stands what was asked for.
struct Listing {
  std::string path;
  std::string id;
  std::string name;
  std::map<std::string, std::string> fields;  // of the request -> of the listing; compared
};

const std::map<std::string, Listing>& listings() {
  static const std::map<std::string, Listing> all{
      {"vpc",
       {"/v1/vpcs",
        "vpcId",
        "vpcName",
        {{"addressPrefix", "addressPrefix"},
         {"region", "region"},
         {"description", "description"}}}},
      {"subnet",
       {"/v1/subnets",
        "subnetId",
        "subnetName",
        {{"addressPrefix", "addressPrefix"}, {"description", "description"}}}},
      {"sg", {"/v1/security-groups", "groupId", "name", {}}},
      {"rds",
       {"/v1/rds",
        "instanceId",
        "instanceName",
        {{"instanceClass", "instanceClass"},
         {"instanceStorageGB", "instanceStorageGB"},
         {"vpc", "vpcName"},
         {"subnet", "subnetName"},
         {"region", "region"}}}},
      {"hub",
       {"/v1/hubs",
        "instanceId",
        "name",
        {{"vpc", "vpcName"},
         {"subnet", "subnetName"},
         {"rds", "rdsInstanceName"},
         {"region", "region"},
         {"description", "description"},
         {"securityGroups", "securityGroups"},
         {"shards", "shards"},
         {"maxDevices", "maxDevices"},
         {"maxMessages", "maxMessages"}}}},
  };
  return all;
}

bool may_change(const std::string& kind, const std::string& field) {
  if (field == "description") return kind != "rds";
  return kind == "hub" && (field == "securityGroups" || field == "shards" ||
                           field == "maxDevices" || field == "maxMessages");
}

class Planner {
 public:
  Planner(Client& client, const Console& console) : client_(client), console_(console) {}

  // The resource as it is; empty when there is none.
  std::optional<json::object> find(const Declared& declared) {
    const auto& listing = listings().at(declared.kind);
    auto path = listing.path;
    if (!declared.vpc.empty()) {
      if (!exists("vpc", declared.vpc)) return std::nullopt;
      path += "?vpc=" + url_encoded(declared.vpc);
    }
    for (const auto& item : client_.list(path))
      if (shown(item.as_object(), listing.name) == declared.name) return item.as_object();
    return std::nullopt;
  }

  void plan(const Declared& declared, std::vector<Action>& actions) {
    const auto there = find(declared);
    if (!there) return create(declared, actions);
    change(declared, *there, actions);
    if (declared.kind == "sg") add_rules(declared, &*there, actions);
    if (declared.kind == "rds" && declared.initialize && shown(*there, "initialized") == "no")
      initialize(declared, actions);
  }

  std::string path_of(const std::string& kind, const std::string& ref) {
    return listings().at(kind).path + "/" + url_encoded(ref);
  }

 private:
  bool exists(const std::string& kind, const std::string& name) {
    const auto& listing = listings().at(kind);
    for (const auto& item : client_.list(listing.path))
      if (shown(item.as_object(), listing.name) == name) return true;
    return false;
  }

  void create(const Declared& declared, std::vector<Action>& actions) {
    const bool ordered = declared.kind == "rds" || declared.kind == "hub";
    actions.push_back({fmt::format("+ {} {}{}", declared.kind, declared.name,
                                   ordered ? "  (an order, charged)" : ""),
                       [this, declared, ordered] {
                         const auto& path = listings().at(declared.kind).path;
                         const auto made = client_.post(path, declared.body);
                         if (ordered) carry_out_order(client_, console_, made);
                       }});
    if (declared.kind == "sg") add_rules(declared, nullptr, actions);
    if (declared.initialize) initialize(declared, actions);
  }

  void initialize(const Declared& declared, std::vector<Action>& actions) {
    actions.push_back({fmt::format("~ rds {}: initialise its database", declared.name),
                       [this, name = declared.name] {
                         const auto started = client_.post(path_of("rds", name) + ":init");
                         follow(client_, console_, shown(started, "operationId"));
                       }});
  }

  void change(const Declared& declared, const json::object& there, std::vector<Action>& actions) {
    const auto& listing = listings().at(declared.kind);
    json::object changes;
    std::string what;
    for (const auto& [field, listed] : listing.fields) {
      if (!declared.body.contains(field)) continue;
      const auto wanted = shown(declared.body, field), is = shown(there, listed);
      if (wanted == is || wanted == shown(there, listing.id)) continue;
      if (!may_change(declared.kind, field))
        throw std::runtime_error(
            fmt::format("{} {}: {} is {}, and cannot become {}. Change the file, or destroy it and "
                        "apply it anew.",
                        declared.kind, declared.name, field, is, wanted));
      what += fmt::format("{} {}: {} -> {}", what.empty() ? "" : ",", field, is, wanted);
      changes[field] = declared.body.at(field);
    }
    if (changes.empty()) return;
    actions.push_back({fmt::format("~ {} {}:{}", declared.kind, declared.name, what),
                       [this, kind = declared.kind, ref = shown(there, listing.id), changes] {
                         const auto changed = client_.patch(path_of(kind, ref), changes);
                         if (const auto operation = shown(changed, "operationId");
                             !operation.empty())
                           follow(client_, console_, operation);
                       }});
  }

  static std::string same(const json::object& rule) {
    const auto prefix = shown(rule, "addressPrefix");
    const auto from = shown(rule, "fromPort"), to = shown(rule, "toPort");
    return fmt::format("{} {} {} {}-{}", shown(rule, "direction"), shown(rule, "protocol"),
                       prefix.empty() ? "0.0.0.0/0" : prefix, from.empty() ? "0" : from,
                       to.empty() ? (from.empty() ? "0" : from) : to);
  }

  // The group gets the rules that it lacks, and loses those of its own that the file does not have.
  void add_rules(const Declared& declared, const json::object* there,
                 std::vector<Action>& actions) {
    std::vector<std::string> wanted;
    for (const auto& rule : declared.rules) wanted.push_back(same(rule.as_object()));
    std::vector<std::string> have;
    const auto group = [this, declared] {
      return path_of("sg", shown(*find(declared), "groupId")) + "/rules";
    };
    if (there)
      for (const auto& item : there->at("rules").as_array()) {
        const auto& rule = item.as_object();
        have.push_back(same(rule));
        if (rule.at("isDefault").as_bool() ||
            std::find(wanted.begin(), wanted.end(), have.back()) != wanted.end())
          continue;
        actions.push_back(
            {fmt::format("- rule of sg {}: {}", declared.name, have.back()),
             [this, group, id = shown(rule, "ruleId")] { client_.remove(group() + "/" + id); }});
      }
    for (std::size_t i = 0; i < wanted.size(); ++i)
      if (std::find(have.begin(), have.end(), wanted[i]) == have.end())
        actions.push_back(
            {fmt::format("+ rule of sg {}: {}", declared.name, wanted[i]),
             [this, group, rule = declared.rules[i].as_object()] { client_.post(group(), rule); }});
  }

  Client& client_;
  const Console& console_;
};

// Shows the plan, asks, and carries it out. What is asked once is not asked again for each order.
void carry_out(const Console& console, Console& inner, const std::vector<Action>& actions,
               const std::string& question) {
  for (const auto& action : actions) console.say("  " + action.line);
  if (!console.confirm(question))
    throw Refusal("NotConfirmed", "Nothing is done. Confirm the plan with --yes.");
  inner.yes = true;
  for (const auto& action : actions) {
    console.say(action.line);
    action.act();
  }
}

}  // namespace

void apply_plan(Client& client, const Console& console, const DeclaredPlan& plan) {
  if (!plan.account.empty()) client.profile().account = plan.account;
  Console inner = console;
  Planner planner{client, inner};
  std::vector<Action> actions;
  for (const auto& declared : plan.resources) planner.plan(declared, actions);
  if (actions.empty()) return console.say("Everything is as the file says.");
  carry_out(console, inner, actions, "Do this, and accept the terms of the orders?");
  console.say("Everything is as the file says.");
}

void destroy_plan(Client& client, const Console& console, const DeclaredPlan& plan) {
  if (!plan.account.empty()) client.profile().account = plan.account;
  Console inner = console;
  Planner planner{client, inner};
  std::vector<Action> actions;
  for (auto declared = plan.resources.rbegin(); declared != plan.resources.rend(); ++declared) {
    const auto there = planner.find(*declared);
    if (!there) continue;
    const auto ref = shown(*there, listings().at(declared->kind).id);
    actions.push_back({fmt::format("- {} {}", declared->kind, declared->name),
                       [&client, &inner, kind = declared->kind, ref] {
                         delete_thing(client, inner, kind, ref);
                       }});
  }
  if (actions.empty()) return console.say("Nothing of the file is there.");
  carry_out(console, inner, actions, "Delete this, with all the data in it?");
}

}  // namespace hub::manage
