#pragma once

#include <string>
#include <vector>

#include "instances/core/call.h"
#include "instances/provider/provider.h"

namespace hub::instances {

struct SecurityRule {
  std::string id;
  TrafficRule traffic;
  std::string description;
  bool is_default = false;
};

struct SecurityGroup {
  std::string id;
  std::string vpc_id;
  std::string name;
  std::string description;
  bool is_default = false;
  std::int64_t version = 1;
  std::vector<SecurityRule> rules;
};

struct NewSecurityGroup {
  std::string vpc;
  std::string name;
  std::string description;
};

// The group that an instance gets when none is named: it allows everything.
inline constexpr const char* kOpenGroup = "default-open";

// The three that each VPC begins with: for Linux (22), for Windows (3389), and the open one.
void create_default_groups(const Call& call, const std::string& account_id,
                           const std::string& vpc_id);

// A new group allows nothing in, and out only TCP 80 and UDP 67, 68 and 161. Throws Refusal:
// InvalidRequest, DuplicateName, QuotaExceeded, NotFound.
SecurityGroup create_group(const Call& call, const std::string& account_id,
                           const NewSecurityGroup& group);
SecurityGroup get_group(const Call& call, const std::string& account_id, const std::string& vpc,
                        const std::string& id_or_name);
std::vector<SecurityGroup> list_groups(const Call& call, const std::string& account_id,
                                       const std::string& vpc);
// Throws Refusal(ResourceInUse) while an instance has it, (InvalidState) for a default one.
void delete_group(const Call& call, const std::string& account_id, const std::string& id);

// Both take effect on the instances that have the group. Throw Refusal: InvalidRequest for a rule
// that cannot be, DuplicateName for one that is there, QuotaExceeded, NotFound.
SecurityRule add_rule(const Call& call, const std::string& account_id, const std::string& group,
                      const SecurityRule& rule);
void remove_rule(const Call& call, const std::string& account_id, const std::string& group,
                 const std::string& rule_id);

// Replaces the groups of an instance: 1 to the quota, all of its VPC; none given is the open one.
// Throws Refusal: QuotaExceeded, VpcMismatch, NotFound.
void attach_groups(const Call& call, const std::string& account_id, const std::string& vpc_id,
                   const std::string& instance_id, const std::vector<std::string>& groups);
void detach_groups(const Call& call, const std::string& instance_id);
std::vector<std::string> group_names(const Call& call, const std::string& instance_id);

// The union of the rules of an instance's groups.
std::vector<TrafficRule> rules_of(const Call& call, const std::string& instance_id);

[[nodiscard]] std::string_view name_of(Protocol protocol);
[[nodiscard]] std::string_view name_of(Direction direction);
// Throw Refusal(InvalidRequest).
Protocol parse_protocol(std::string_view name);
Direction parse_direction(std::string_view name);

}  // namespace hub::instances
