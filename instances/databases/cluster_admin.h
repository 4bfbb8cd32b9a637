#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "instances/money/charges.h"

namespace hub::instances {

// What the control plane does inside the database clusters of its accounts. Every call may be
// repeated. Each throws std::runtime_error with PostgreSQL's message when the cluster refuses or
// does not answer. Thread-safe.
class ClusterAdmin {
 public:
  virtual ~ClusterAdmin() = default;

  // Makes the database, the role that owns all that hubs make in it, and the account's one
  // administrator.
  virtual void prepare(const std::string& admin_url, const std::string& database,
                       const std::string& admin_name, const std::string& admin_password) = 0;
  // Throws when it cannot be reached, or its user may not make tables.
  virtual void reach(const std::string& database_url) = 0;

  virtual void initialize(const std::string& database_url) = 0;
  // Empty when the database is initialised; otherwise what is missing.
  virtual std::string problem(const std::string& database_url) = 0;

  // A role for one hub.
  virtual void ensure_role(const std::string& database_url, const std::string& role,
                           const std::string& password) = 0;
  virtual void drop_role(const std::string& database_url, const std::string& role) = 0;

  // Drops the database and makes it again, empty.
  virtual void recreate(const std::string& admin_url, const std::string& database) = 0;

  // Whether sessions of other roles than the superuser may write, unless they ask for it themselves
  // (BEGIN READ WRITE): those that there are, and those that are to come.
  virtual void set_read_only(const std::string& admin_url, bool read_only) = 0;

  // What that hub counted in this database since that day, priced against the month's free units;
  // what was counted before that month, and devices of days before `since`, are forgotten. Of the
  // day on which the free units run out, the small messages are taken for the first ones.
  virtual std::vector<UsageOfDay> usage(const std::string& database_url, const std::string& hub_id,
                                        Day since, std::int64_t free_units_per_month) = 0;
};

// The hub's schema: storage's functions, given by whoever puts the program together.
struct HubSchema {
  std::function<void(const std::string& url)> apply;
  std::function<std::string(const std::string& url)> problem;
};

[[nodiscard]] std::unique_ptr<ClusterAdmin> make_cluster_admin(HubSchema schema);

// The same URL for another database.
[[nodiscard]] std::string with_database(const std::string& url, const std::string& database);

}  // namespace hub::instances
