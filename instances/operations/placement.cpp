#include "instances/operations/placement.h"

#include <fmt/format.h>

#include <pqxx/pqxx>

#include "instances/money/prices.h"
#include "instances/networks/networks.h"
#include "instances/networks/security_groups.h"

namespace hub::instances {
namespace {

constexpr std::uint16_t kMqttPort = 1883;
constexpr int kPortAttempts = 50;

// A cluster serves the VPC that it is in, and begins no connection.
std::vector<TrafficRule> cluster_rules(std::uint16_t port) {
  return {{Direction::inbound, Protocol::tcp, kAnywhere, port, port},
          {Direction::inbound, Protocol::icmp, kAnywhere, 0, 0}};
}

// Whatever its groups say, a hub reaches its own database.
TrafficRule way_to(const Rds& rds) {
  if (rds.external_url.empty())
    return {Direction::outbound, Protocol::tcp, Cidr{rds.address.value_or(Ipv4{}), 32}, rds.port,
            rds.port};
  return {Direction::outbound, Protocol::tcp, kAnywhere, 1, 65535};
}

DatabaseLimits limits_of(const Rds& rds) {
  const auto& klass = find_rds_class(rds.klass, rds.storage_gb);
  return {.max_connections = klass.max_connections,
          .memory_mb = klass.memory_gb * 1024,
          .storage_gb = rds.storage_gb,
          .max_iops = klass.max_iops};
}

Ipv4 ensure_port(const Machinery& m, const std::string& account, const std::string& instance,
                 const std::string& vpc_id, const std::string& subnet_id,
                 const std::vector<TrafficRule>& rules) {
  const auto [subnet, allocated] = m.transact([&](const Call& call) {
    const auto row =
        call.tx.exec_params1("SELECT host(address) FROM address WHERE instance_id = $1", instance);
    return std::pair{get_subnet(call, account, vpc_id, subnet_id),
                     parse_ipv4(row[0].c_str()).value()};
  });
  m.provider.ensure_vpc({vpc_id});
  m.provider.ensure_subnet({subnet_id, vpc_id, subnet.prefix, gateway_of(subnet.prefix)});
  return m.provider.ensure_port({instance, vpc_id, subnet_id, allocated, rules});
}

void remember_address(const Machinery& m, const char* table, const std::string& id, Ipv4 address) {
  m.transact([&](const Call& call) {
    call.tx.exec_params(
        fmt::format(
            "UPDATE {} SET address = $2 WHERE id = $1 AND address IS DISTINCT FROM $2::inet",
            table),
        id, address.to_string());
  });
}

Rds database_of(const Machinery& m, const Hub& hub) {
  return m.transact([&](const Call& call) { return load_rds(call, hub.rds_id); });
}

// TOML's basic strings; what is written here holds no control characters.
std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

void ensure_network(const Machinery& m, const Hub& hub) {
  const auto rds = database_of(m, hub);
  auto rules = m.transact([&](const Call& call) { return rules_of(call, hub.id); });
  rules.push_back(way_to(rds));
  const auto address = ensure_port(m, hub.account_id, hub.id, hub.vpc_id, hub.subnet_id, rules);
  remember_address(m, "hub_instance", hub.id, address);
}

void ensure_network(const Machinery& m, const Rds& rds) {
  const auto address =
      ensure_port(m, rds.account_id, rds.id, rds.vpc_id, rds.subnet_id, cluster_rules(rds.port));
  remember_address(m, "rds_instance", rds.id, address);
}

void ensure_cluster(const Machinery& m, const Rds& rds) {
  const auto handle = m.provider.ensure_database({rds.id, rds.port, limits_of(rds)});
  m.transact([&](const Call& call) {
    call.tx.exec_params("UPDATE rds_instance SET admin_url = $2 WHERE id = $1", rds.id,
                        handle.admin_url);
  });
}

void ensure_process(const Machinery& m, const Hub& hub) {
  m.provider.ensure_hub({hub.id, configuration_of(hub, database_of(m, hub)), 0});
}

void ensure_public(const Machinery& m, const Hub& hub) {
  auto port = hub.public_port;
  for (int attempt = 1;; ++attempt) {
    try {
      const auto endpoint =
          m.provider.ensure_endpoint({endpoint_id_of(hub.id), port, hub.vpc_id, hub.id, kMqttPort});
      m.transact([&](const Call& call) {
        call.tx.exec_params(
            "UPDATE hub_instance SET public_host = $2, public_port = $3 WHERE id = $1", hub.id,
            endpoint.host, endpoint.port);
      });
      return;
    } catch (const ProviderError& error) {
      if (error.next() != ProviderError::Next::another_port || attempt == kPortAttempts) throw;
    }
    port = m.transact([&](const Call& call) { return move_public_port(call, hub.id); });
  }
}

std::string endpoint_id_of(const std::string& hub_id) { return "ep-" + hub_id.substr(4); }

std::string role_of(const std::string& hub_id) { return "hub_" + hub_id.substr(4); }

std::string superuser_url(const Rds& rds) {
  return rds.external_url.empty() ? with_database(rds.admin_url, rds.database) : rds.external_url;
}

std::string owner_url(const Rds& rds) {
  if (!rds.external_url.empty()) return rds.external_url;
  return superuser_url(rds) + "&options=-c%20role%3Diothub_owner";
}

std::string configuration_of(const Hub& hub, const Rds& rds) {
  const auto database =
      rds.external_url.empty()
          ? fmt::format("postgresql://{}:{}@{}:{}/{}", role_of(hub.id), hub.database_password,
                        rds.address.value_or(Ipv4{}).to_string(), rds.port, rds.database)
          : rds.external_url;
  return fmt::format(
      "# Written by the control plane for {} ({}), generation {}.\n"
      "bind = \"{}\"\n"
      "allow_anonymous = true\n"
      "database = {}\n"
      "shards = {}\n"
      "meter = \"{}\"\n"
      "max_daily_messages = {}\n"
      "\n"
      "[mqtt]\n"
      "port = {}\n"
      "max_connections = {}\n",
      hub.id, hub.name, hub.generation, hub.address.value_or(Ipv4{}).to_string(),
      toml_string(database), hub.shards, hub.id, hub.max_messages, kMqttPort, hub.max_devices);
}

}  // namespace hub::instances
