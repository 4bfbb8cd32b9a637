#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "instances/core/call.h"
#include "instances/core/cidr.h"
#include "instances/money/orders.h"

// Database instances: a PostgreSQL cluster of one's own inside a VPC, or the address of a server
// that is somebody else's.

namespace hub::instances {

struct Rds {
  std::string id;
  std::string account_id;
  std::string region;
  std::string name;
  std::vector<std::string> zones;
  std::string vpc_id;
  std::string subnet_id;
  std::string engine;
  std::string external_url;  // empty: a cluster of our own
  std::string klass;
  std::uint32_t storage_gb = 0;
  std::uint16_t port = 5432;
  std::optional<Ipv4> address;
  std::string state;  // "ordered", "building", "running", "suspended", "error", "deleting", …
  std::string health;
  bool read_only = false;  // its storage is full
  std::string failed_step;
  std::string message;
  std::string admin_name;
  std::string admin_password;  // until the cluster has it
  std::string database;
  std::string admin_url;
  bool initialized = false;
  std::int64_t version = 1;
  Timestamp created_at;
};

struct NewRds {
  std::string name;
  std::string region = "cn-north-1";
  std::string engine = "postgresql";
  std::string vpc;
  std::string subnet;
  std::string klass = "1c1g";
  std::uint32_t storage_gb = 20;
  std::uint16_t port = 5432;
  std::string zone;  // empty: the region's first
  std::string charge_mode = "configuration";
  int months = 0;  // of a package
  std::string admin_name = "iotadmin";
  std::string admin_password;  // empty: a random one, told once
};

struct OrderedRds {
  Order order;
  std::string admin_password;  // this is the only time that it is told
};

// Checks every precondition, and makes the order. Throws Refusal: AccountNotVerified,
// InsufficientBalance, RegionNotSupported, NotFound, SubnetIpExhausted, QuotaExceeded,
// InvalidRequest.
OrderedRds order_rds(const Call& call, const std::string& account_id, const NewRds& rds);
// By pay_order(): takes the address and starts the work.
void provision_rds(const Call& call, const Order& order);

struct ExternalRds {
  std::string name;
  std::string vpc;
  std::string subnet;
  std::string url;  // postgresql://user:password@host:port/database, of one who may make tables
};
// Free of charge. Returns the operation that looks whether it answers.
std::string register_rds(const Call& call, const std::string& account_id, const ExternalRds& rds);

Rds get_rds(const Call& call, const std::string& account_id, const std::string& id_or_name);
std::vector<Rds> list_rds(const Call& call, const std::string& account_id);

// Each returns the operation. Throw Refusal: NotFound, RdsNotRunning, InvalidState, ResourceInUse.
std::string initialize_rds(const Call& call, const std::string& account_id, const std::string& ref);
std::string backup_rds(const Call& call, const std::string& account_id, const std::string& ref,
                       const std::string& file);
// `from` is the database that the file is a backup of; empty: the same one.
std::string restore_rds(const Call& call, const std::string& account_id, const std::string& ref,
                        const std::string& from, const std::string& file);
// Refused while a hub uses it (ResourceInUse), and for a package that runs (PrepaidNotExpired).
std::string delete_rds(const Call& call, const std::string& account_id, const std::string& ref);

// --- For the work ---

Rds load_rds(const Call& call, const std::string& id);
void set_rds_state(const Call& call, const std::string& id, const std::string& state);
void rds_failed(const Call& call, const std::string& id, const std::string& step,
                const std::string& message);

}  // namespace hub::instances
