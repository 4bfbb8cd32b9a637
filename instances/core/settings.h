#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "instances/core/money.h"

namespace hub::instances {

// After a bill that cannot be paid: how long the resource stays in use, and when it is deleted;
// both from the first settlement that failed.
struct ArrearsPolicy {
  std::chrono::hours suspend_after{24};
  std::chrono::hours release_after{24 * 7};
};

// What the operator may change; the defaults are the public cloud's.
struct Settings {
  Money opening_threshold = yuan(50);  // cash and coupons, to open what is paid afterwards
  std::chrono::hours order_lifetime{24 * 15};

  // By name, as a refusal tells it. An account may have others: quota_override.
  std::map<std::string, std::int64_t> quotas{
      {"vpcs", 10},
      {"subnets", 100},
      {"security_groups", 50},
      {"security_rules", 100},
      {"groups_per_hub", 5},
      {"rds", 5},
      {"hubs", 1},
      {"tokens", 50},
  };

  std::int64_t free_units = 5'000'000;  // of 0.5 KB, each month and hub

  ArrearsPolicy hub_arrears{std::chrono::hours{24}, std::chrono::hours{24 * 7}};
  ArrearsPolicy rds_arrears{std::chrono::hours{24}, std::chrono::hours{24 * 8}};
  std::chrono::hours expired_kept{24 * 7};  // a package that was not renewed, after its end

  std::chrono::minutes settlement_delay{1};  // after a period's end, for the last of its usage

  int wrong_passwords = 10;  // in a row, until sign-in is frozen
  std::chrono::minutes sign_in_freeze{15};
  int wrong_amounts = 5;
  std::chrono::minutes verification_freeze{60};

  std::uint16_t first_public_port = 18830;
  std::uint16_t last_public_port = 19829;

  std::filesystem::path backup_dir = "/var/lib/iothub/backups";  // a folder per database in it

  int step_attempts = 5;  // of one step, until the work is undone
};

}  // namespace hub::instances
