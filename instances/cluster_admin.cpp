#include "instances/cluster_admin.h"

#include <fmt/format.h>

#include <pqxx/pqxx>

namespace hub::instances {
namespace {

// Owns what the hubs of a database make: a hub that follows another one finds it its own.
constexpr const char* kOwner = "iothub_owner";

bool exists(pqxx::transaction_base& tx, const char* query, const std::string& name) {
  return !tx.exec_params(query, name).empty();
}

bool has_role(pqxx::transaction_base& tx, const std::string& name) {
  return exists(tx, "SELECT 1 FROM pg_roles WHERE rolname = $1", name);
}

void ensure_owner(pqxx::transaction_base& tx) {
  if (!has_role(tx, kOwner)) tx.exec0(fmt::format("CREATE ROLE {} NOLOGIN", kOwner));
}

void ensure_member(pqxx::transaction_base& tx, const std::string& name,
                   const std::string& password) {
  const auto quoted = tx.quote_name(name);
  if (!has_role(tx, name)) tx.exec0(fmt::format("CREATE ROLE {}", quoted));
  tx.exec0(fmt::format("ALTER ROLE {} LOGIN PASSWORD {}", quoted, tx.quote(password)));
  tx.exec0(fmt::format("GRANT {} TO {}", kOwner, quoted));
  tx.exec0(fmt::format("ALTER ROLE {} SET role = {}", quoted, kOwner));
}

void ensure_database(pqxx::transaction_base& tx, const std::string& name) {
  if (!exists(tx, "SELECT 1 FROM pg_database WHERE datname = $1", name))
    tx.exec0(fmt::format("CREATE DATABASE {} OWNER {}", tx.quote_name(name), kOwner));
}

class PqxxClusterAdmin final : public ClusterAdmin {
 public:
  explicit PqxxClusterAdmin(HubSchema schema) : schema_(std::move(schema)) {}

  void prepare(const std::string& admin_url, const std::string& database,
               const std::string& admin_name, const std::string& admin_password) override {
    pqxx::connection connection{admin_url};
    pqxx::nontransaction tx{connection};
    ensure_owner(tx);
    if (!admin_password.empty()) ensure_member(tx, admin_name, admin_password);
    ensure_database(tx, database);
  }

  void reach(const std::string& url) override {
    pqxx::connection connection{url};
    pqxx::nontransaction tx{connection};
    const auto may = tx.exec1("SELECT has_database_privilege(current_database(), 'CREATE')");
    if (!may[0].as<bool>())
      throw std::runtime_error("its user may not make tables (GRANT CREATE ON DATABASE)");
  }

  void initialize(const std::string& url) override { schema_.apply(url); }
  std::string problem(const std::string& url) override { return schema_.problem(url); }

  void ensure_role(const std::string& url, const std::string& role,
                   const std::string& password) override {
    pqxx::connection connection{url};
    // The session may be the owner role, which cannot make roles.
    pqxx::nontransaction tx{connection};
    tx.exec0("RESET SESSION AUTHORIZATION");
    tx.exec0("SET ROLE NONE");
    ensure_member(tx, role, password);
  }

  void drop_role(const std::string& url, const std::string& role) override {
    pqxx::connection connection{url};
    pqxx::nontransaction tx{connection};
    tx.exec0("SET ROLE NONE");
    if (!has_role(tx, role)) return;
    tx.exec_params("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1",
                   role);
    tx.exec0(fmt::format("DROP OWNED BY {}", tx.quote_name(role)));
    tx.exec0(fmt::format("DROP ROLE {}", tx.quote_name(role)));
  }

  void recreate(const std::string& admin_url, const std::string& database) override {
    pqxx::connection connection{admin_url};
    pqxx::nontransaction tx{connection};
    tx.exec0(fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", tx.quote_name(database)));
    ensure_owner(tx);
    ensure_database(tx, database);
  }

  std::vector<UsageOfDay> usage(const std::string& url, Day since) override {
    pqxx::connection connection{url};
    pqxx::nontransaction tx{connection};
    std::vector<UsageOfDay> days;
    if (tx.exec1("SELECT to_regclass('iothub.usage_day')")[0].is_null()) return days;
    for (const auto& row : tx.exec_params(
             "SELECT (day - date '1970-01-01') AS day, free_units, paid_units, active_devices "
             "FROM iothub.usage_day WHERE day >= $1 ORDER BY day",
             to_string(since)))
      days.push_back({.day = Day{std::chrono::days{row["day"].as<int>()}},
                      .free_units = row["free_units"].as<std::int64_t>(),
                      .paid_units = row["paid_units"].as<std::int64_t>(),
                      .active_devices = row["active_devices"].as<std::int64_t>()});
    return days;
  }

 private:
  HubSchema schema_;
};

}  // namespace

std::unique_ptr<ClusterAdmin> make_cluster_admin(HubSchema schema) {
  return std::make_unique<PqxxClusterAdmin>(std::move(schema));
}

std::string with_database(const std::string& url, const std::string& database) {
  // A later parameter of a URL stands above its path.
  const char joint = url.find('?') == std::string::npos ? '?' : '&';
  return fmt::format("{}{}dbname={}", url, joint, database);
}

}  // namespace hub::instances
