#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "instances/core/call.h"
#include "instances/core/cidr.h"
#include "instances/money/orders.h"

namespace hub::instances {

struct Hub {
  std::string id;
  std::string account_id;
  std::string region;
  std::string name;
  std::string description;
  std::vector<std::string> zones;
  std::string vpc_id;
  std::string subnet_id;
  std::string rds_id;
  std::optional<Ipv4> address;
  std::uint16_t public_port = 0;  // 0: none yet
  std::string public_host;
  int shards = 1;
  std::int64_t max_devices = 0;
  std::int64_t max_messages = 0;  // a day, as they are billed; 0: no cap
  int generation = 1;             // of its configuration
  std::string database_password;
  std::string state;  // "ordered", "preparing", "building", "running", "updating", "suspending", …
  int progress = 0;
  std::string health;
  std::string failed_step;
  std::string message;
  std::int64_t version = 1;
  Timestamp created_at;
};

struct NewHub {
  std::string name;
  std::string description;
  std::string region = "cn-north-1";
  std::string vpc;
  std::string subnet;
  std::string rds;
  std::vector<std::string> security_groups;
  int shards = 1;
  std::int64_t max_devices = 100'000;
  std::int64_t max_messages = 0;
};

// What of a hub may be changed; what is empty stays.
struct HubChange {
  std::optional<std::string> description;
  std::optional<int> shards;
  std::optional<std::int64_t> max_devices;
  std::optional<std::int64_t> max_messages;
  std::optional<std::vector<std::string>> security_groups;
  std::optional<std::int64_t> version;
};

// Checks every precondition, in the order in which they are to be met, and makes the order. Throws
// Refusal: AccountNotVerified, InsufficientBalance, RegionNotSupported, NotFound, RdsNotRunning,
// VpcMismatch, DatabaseNotInitialized, DatabaseInUse, QuotaExceeded, DuplicateName.
Order order_hub(const Call& call, const std::string& account_id, const NewHub& hub);
// By pay_order(): takes address and public port, and starts the work.
void provision_hub(const Call& call, const Order& order);

Hub get_hub(const Call& call, const std::string& account_id, const std::string& id_or_name);
std::vector<Hub> list_hubs(const Call& call, const std::string& account_id);

// Returns the operation that restarts it with the new configuration; empty when none is needed.
std::string update_hub(const Call& call, const std::string& account_id, const std::string& ref,
                       const HubChange& change);
// Restarts it on the program that the control plane has now.
std::string upgrade_hub(const Call& call, const std::string& account_id, const std::string& ref);
// `confirmation` repeats the hub's name. The database stays. Throws Refusal: InvalidRequest,
// InvalidState.
std::string delete_hub(const Call& call, const std::string& account_id, const std::string& ref,
                       const std::string& confirmation);

// --- For the work ---

Hub load_hub(const Call& call, const std::string& id);
void set_hub_state(const Call& call, const std::string& id, const std::string& state, int progress);
void hub_failed(const Call& call, const std::string& id, const std::string& step,
                const std::string& message);
// Another public port, after the machine said that this one is taken. Returns it.
std::uint16_t move_public_port(const Call& call, const std::string& id);

}  // namespace hub::instances
