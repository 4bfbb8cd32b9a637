#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "instances/core/call.h"
#include "instances/core/cidr.h"

// VPCs, their subnets, and the addresses of these. What is made here is a record; the provider
// makes the network when the first instance needs it.

namespace hub::instances {

struct Vpc {
  std::string id;
  std::string name;
  std::string region;
  std::optional<Cidr> prefix;  // empty: grows with its subnets
  std::string description;
  std::string state;  // "available", "deleting"
  std::int64_t version = 1;
  Timestamp created_at;
};

struct NewVpc {
  std::string name;
  std::string region = "cn-north-1";
  std::string prefix;  // "10.1.0.0/16", or empty
  std::string description;
};

struct Subnet {
  std::string id;
  std::string vpc_id;
  std::string name;
  Cidr prefix;
  std::string description;
  std::string state;
  std::int64_t free_addresses = 0;
  std::int64_t version = 1;
  Timestamp created_at;
};

struct NewSubnet {
  std::string vpc;  // id or name
  std::string name;
  std::string prefix;
  std::string description;
};

// What may be changed of either; what is empty stays. `version`, when given, must be the current
// one: Refusal(VersionConflict) otherwise.
struct Renaming {
  std::optional<std::string> name;
  std::optional<std::string> description;
  std::optional<std::int64_t> version;
};

// Names, where a parameter is `id_or_name`: NotFound when the account has none such, and
// InvalidRequest when several have the name.

// Makes the VPC's default security groups, too. Throws Refusal: InvalidRequest, InvalidCidr,
// RegionNotSupported, DuplicateName, QuotaExceeded.
Vpc create_vpc(const Call& call, const std::string& account_id, const NewVpc& vpc);
Vpc get_vpc(const Call& call, const std::string& account_id, const std::string& id_or_name);
std::vector<Vpc> list_vpcs(const Call& call, const std::string& account_id);
Vpc update_vpc(const Call& call, const std::string& account_id, const std::string& id_or_name,
               const Renaming& change);
// Returns the operation that removes it. Throws Refusal(ResourceInUse) while it has a subnet.
std::string delete_vpc(const Call& call, const std::string& account_id,
                       const std::string& id_or_name);

// Throws Refusal: InvalidRequest, InvalidCidr, CidrOutOfVpc, CidrOverlap, DuplicateName,
// QuotaExceeded, NotFound, InvalidState.
Subnet create_subnet(const Call& call, const std::string& account_id, const NewSubnet& subnet);
// `vpc` may be empty when the subnet's name is the account's only one.
Subnet get_subnet(const Call& call, const std::string& account_id, const std::string& vpc,
                  const std::string& id_or_name);
std::vector<Subnet> list_subnets(const Call& call, const std::string& account_id,
                                 const std::string& vpc);
Subnet update_subnet(const Call& call, const std::string& account_id, const std::string& id,
                     const Renaming& change);
std::string delete_subnet(const Call& call, const std::string& account_id, const std::string& id);

// A range that a VPC or a subnet may have: private, with a mask of 16 to 28. Throws
// Refusal(InvalidCidr).
Cidr check_private_prefix(const std::string& text);

// Throws Refusal(VersionConflict).
void check_version(std::optional<std::int64_t> expected, std::int64_t current);

// --- Addresses ---

// Of a subnet of /24: .0, .1 (the gateway), .2 and .255 are not given away; 252 are.
[[nodiscard]] std::int64_t usable_addresses(const Cidr& prefix);
[[nodiscard]] Ipv4 gateway_of(const Cidr& prefix);
[[nodiscard]] bool is_usable(const Cidr& prefix, Ipv4 address);

// A random free address of the subnet, or the one wanted. The account is locked by the caller.
// Throws Refusal: SubnetIpExhausted, ResourceInUse, InvalidRequest when it cannot be given away.
Ipv4 allocate_address(const Call& call, const std::string& subnet_id,
                      const std::string& instance_id, std::optional<Ipv4> wanted = std::nullopt);
void release_address(const Call& call, const std::string& instance_id);

}  // namespace hub::instances
