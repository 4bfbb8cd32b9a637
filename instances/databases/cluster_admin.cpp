#include "instances/databases/cluster_admin.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <pqxx/pqxx>
#include <stdexcept>

#include "instances/money/prices.h"

namespace hub::instances {
namespace {

// Owns what the hubs of a database make: a hub that follows another one finds it its own.
constexpr const char* kOwner = "iothub_owner";

// What ALTER SYSTEM has written, and whether the server may not have read it: a caller may have
// been killed in between.
constexpr const char* kIsReadOnly =
    "SELECT (SELECT coalesce(bool_or(setting = 'on'), false) FROM pg_file_settings "
    "        WHERE name = 'default_transaction_read_only') AS read_only, "
    "       (pg_stat_file('postgresql.auto.conf')).modification >= "
    "       date_trunc('second', pg_conf_load_time()) AS unread";

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

  void set_read_only(const std::string& admin_url, bool read_only) override {
    pqxx::connection connection{admin_url};
    pqxx::nontransaction tx{connection};
    const auto is = tx.exec1(kIsReadOnly);
    const bool written = is["read_only"].as<bool>() == read_only;
    if (written && !is["unread"].as<bool>()) return;
    if (!written) {
      tx.exec0("ALTER ROLE CURRENT_USER SET default_transaction_read_only = off");
      tx.exec0(read_only ? "ALTER SYSTEM SET default_transaction_read_only = on"
                         : "ALTER SYSTEM RESET default_transaction_read_only");
    }
    tx.exec1("SELECT pg_reload_conf()");
  }

  std::vector<UsageOfDay> usage(const std::string& url, const std::string& hub_id, Day since,
                                std::int64_t free_units_per_month) override {
    pqxx::connection connection{url};
    pqxx::work tx{connection};
    // Not there before the hub is upgraded.
    if (tx.exec1("SELECT to_regclass('iothub.usage')")[0].is_null()) return {};
    std::map<Day, UsageOfDay> days;
    const auto day_in = [&](const pqxx::row& row) -> UsageOfDay& {
      const Day day{std::chrono::days{row["number"].as<int>()}};
      auto& usage = days[day];
      usage.day = day;
      return usage;
    };
    tx.exec_params(
        "DELETE FROM iothub.usage WHERE meter = $1 AND day < date_trunc('month', $2::date)", hub_id,
        to_string(since));
    tx.exec_params("DELETE FROM iothub.usage_device WHERE meter = $1 AND day < $2", hub_id,
                   to_string(since));
    MessageMeter meter;
    std::optional<Day> latest;
    for (const auto& row : tx.exec_params(
             "SELECT day - date '1970-01-01' AS number, half_kilobytes, sum(messages)::bigint AS "
             "messages FROM iothub.usage WHERE meter = $1 GROUP BY 1, 2 ORDER BY 1, 2",
             hub_id)) {
      auto& usage = day_in(row);
      if (!latest || !same_month(*latest, usage.day)) meter.free_left = free_units_per_month;
      latest = usage.day;
      const auto messages = row["messages"].as<std::int64_t>();
      const auto before = meter;
      meter.count(row["half_kilobytes"].as<std::int64_t>(), messages);
      usage.messages += messages;
      usage.free_units += meter.free_used - before.free_used;
      usage.paid_units += meter.paid_units - before.paid_units;
    }
    for (const auto& row :
         tx.exec_params("SELECT day - date '1970-01-01' AS number, count(*) AS devices "
                        "FROM iothub.usage_device WHERE meter = $1 GROUP BY 1",
                        hub_id))
      day_in(row).active_devices = row["devices"].as<std::int64_t>();
    tx.commit();
    std::vector<UsageOfDay> counted;
    for (const auto& [day, usage] : days)
      if (day >= since) counted.push_back(usage);
    return counted;
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
