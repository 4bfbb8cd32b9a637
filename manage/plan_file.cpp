#include <fmt/format.h>
#include <toml++/toml.h>

#include <functional>
#include <map>

#include "manage/plan.h"

namespace hub::manage {
namespace {

namespace json = boost::json;

[[noreturn]] void wrong(const toml::node& node, const std::string& what) {
  const auto& source = node.source();
  throw std::runtime_error(fmt::format("{}:{}:{}: {}", source.path ? *source.path : "plan",
                                       source.begin.line, source.begin.column, what));
}

// A key of the file, and the field of the API that it becomes. An empty field is the reader's.
struct Key {
  std::string_view key;
  std::string_view field;
};
using Keys = std::vector<Key>;

const Keys kVpcKeys{{"cidr", "addressPrefix"},
                    {"region", "region"},
                    {"description", "description"},
                    {"subnet", ""},
                    {"security_group", ""}};
const Keys kSubnetKeys{{"cidr", "addressPrefix"}, {"description", "description"}};
const Keys kGroup{{"description", "description"}, {"rules", ""}};
const Keys kRule{{"direction", "direction"},    {"protocol", "protocol"}, {"cidr", "addressPrefix"},
                 {"from_port", "fromPort"},     {"to_port", "toPort"},    {"port", ""},
                 {"description", "description"}};
const Keys kRdsKeys{{"vpc", "vpc"},
                    {"subnet", "subnet"},
                    {"engine", "engine"},
                    {"region", "region"},
                    {"zone", "zone"},
                    {"class", "instanceClass"},
                    {"storage", "instanceStorageGB"},
                    {"port", "port"},
                    {"charge", "chargeMode"},
                    {"months", "months"},
                    {"administrator", "administrator"},
                    {"init", ""}};
const Keys kHubKeys{
    {"vpc", "vpc"},       {"subnet", "subnet"},           {"rds", "rds"},
    {"region", "region"}, {"description", "description"}, {"security_groups", "securityGroups"},
    {"shards", "shards"}, {"max_devices", "maxDevices"},  {"max_messages", "maxMessages"}};

json::value value_of(const toml::node& node, std::string_view key) {
  if (const auto* text = node.as_string()) return json::value(text->get());
  if (const auto* number = node.as_integer()) return json::value(number->get());
  if (const auto* truth = node.as_boolean()) return json::value(truth->get());
  const auto* list = node.as_array();
  if (!list) wrong(node, fmt::format("'{}' is text, a number or a list of text", key));
  json::array items;
  for (const auto& item : *list) {
    const auto* text = item.as_string();
    if (!text) wrong(item, fmt::format("'{}' is a list of text", key));
    items.emplace_back(text->get());
  }
  return items;
}

json::object body_of(const toml::table& table, const Keys& keys) {
  json::object body;
  for (const auto& [key, node] : table) {
    const Key* known = nullptr;
    for (const auto& each : keys)
      if (each.key == key.str()) known = &each;
    if (!known) {
      std::string names;
      for (const auto& each : keys) names += fmt::format(" {}", each.key);
      wrong(node, fmt::format("'{}' is not known here; there are:{}", key.str(), names));
    }
    if (!known->field.empty()) body[known->field] = value_of(node, key.str());
  }
  return body;
}

const toml::table& table_at(const toml::node& node, std::string_view what) {
  const auto* table = node.as_table();
  if (!table) wrong(node, fmt::format("{} is a table", what));
  return *table;
}

// Each named table below `key`, in the file's order of names.
void each_named(const toml::table& parent, std::string_view key,
                const std::function<void(const std::string&, const toml::table&)>& take) {
  const auto* node = parent.get(key);
  if (!node) return;
  for (const auto& [name, child] : table_at(*node, key))
    take(std::string(name.str()), table_at(child, fmt::format("{}.{}", key, name.str())));
}

json::array rules_of(const toml::table& group) {
  json::array rules;
  const auto* node = group.get("rules");
  if (!node) return rules;
  const auto* list = node->as_array();
  if (!list) wrong(*node, "'rules' is a list of tables");
  for (const auto& item : *list) {
    const auto& table = table_at(item, "a rule");
    auto rule = body_of(table, kRule);
    if (const auto* port = table.get("port")) {
      rule["fromPort"] = value_of(*port, "port");
      rule["toPort"] = value_of(*port, "port");
    }
    if (!rule.contains("direction")) rule["direction"] = "inbound";
    if (!rule.contains("protocol")) rule["protocol"] = "tcp";
    rules.push_back(std::move(rule));
  }
  return rules;
}

void read_vpc(const std::string& name, const toml::table& table, DeclaredPlan& plan) {
  auto body = body_of(table, kVpcKeys);
  body["name"] = name;
  plan.resources.push_back({"vpc", name, "", std::move(body), false, {}});
  const auto add = [&](const char* kind, const std::string& child, json::object fields,
                       json::array rules) {
    fields["name"] = child;
    fields["vpc"] = name;
    plan.resources.push_back({kind, child, name, std::move(fields), false, std::move(rules)});
  };
  each_named(table, "subnet", [&](const std::string& child, const toml::table& subnet) {
    add("subnet", child, body_of(subnet, kSubnetKeys), {});
  });
  each_named(table, "security_group", [&](const std::string& child, const toml::table& group) {
    add("sg", child, body_of(group, kGroup), rules_of(group));
  });
}

}  // namespace

DeclaredPlan read_plan(const std::filesystem::path& file) {
  DeclaredPlan plan;
  toml::table root;
  try {
    root = toml::parse_file(file.string());
  } catch (const toml::parse_error& error) {
    throw std::runtime_error(fmt::format("{}:{}:{}: {}", file.string(), error.source().begin.line,
                                         error.source().begin.column, error.description()));
  }
  for (const auto& [key, node] : root)
    if (key != "account" && key != "vpc" && key != "rds" && key != "hub")
      wrong(node, fmt::format("'{}' is not known here; there are: account vpc rds hub", key.str()));
  if (const auto* account = root.get("account"))
    plan.account = std::string(value_of(*account, "account").as_string());
  each_named(root, "vpc", [&](const std::string& name, const toml::table& table) {
    read_vpc(name, table, plan);
  });
  each_named(root, "rds", [&](const std::string& name, const toml::table& table) {
    auto body = body_of(table, kRdsKeys);
    body["name"] = name;
    const bool init = table["init"].value_or(true);
    plan.resources.push_back({"rds", name, "", std::move(body), init, {}});
  });
  each_named(root, "hub", [&](const std::string& name, const toml::table& table) {
    auto body = body_of(table, kHubKeys);
    body["name"] = name;
    plan.resources.push_back({"hub", name, "", std::move(body), false, {}});
  });
  return plan;
}

}  // namespace hub::manage
