#include <fmt/format.h>

#include <algorithm>
#include <pqxx/pqxx>
#include <vector>

#include "instances/core/errc.h"
#include "instances/core/secrets.h"
#include "instances/networks/networks.h"

namespace hub::instances {
namespace {

constexpr std::uint32_t kFirstUsable = 3;  // after the network's, the router's and DHCP's

// The `index`-th address that is usable and not among the sorted `used`.
Ipv4 nth_free(const Cidr& prefix, const std::vector<Ipv4>& used, std::uint32_t index) {
  Ipv4 address{prefix.network.bits + kFirstUsable + index};
  for (const auto& taken : used) {
    if (taken > address) break;
    ++address.bits;
  }
  return address;
}

}  // namespace

std::int64_t usable_addresses(const Cidr& prefix) {
  return (std::int64_t{1} << (32 - prefix.mask)) - 4;
}

Ipv4 gateway_of(const Cidr& prefix) { return {prefix.network.bits + 1}; }

bool is_usable(const Cidr& prefix, Ipv4 address) {
  return address.bits >= prefix.network.bits + kFirstUsable && address < prefix.last();
}

Ipv4 allocate_address(const Call& call, const std::string& subnet_id,
                      const std::string& instance_id, std::optional<Ipv4> wanted) {
  const auto subnet =
      call.tx.exec_params1("SELECT prefix, name FROM subnet WHERE id = $1", subnet_id);
  const auto prefix = parse_cidr(subnet["prefix"].c_str()).value();
  std::vector<Ipv4> used;
  for (const auto& row : call.tx.exec_params(
           "SELECT host(address) FROM address WHERE subnet_id = $1 ORDER BY address", subnet_id))
    used.push_back(parse_ipv4(row[0].c_str()).value());
  if (wanted && !is_usable(prefix, *wanted))
    throw Refusal(
        Errc::InvalidRequest,
        fmt::format("{} cannot be given to an instance of {}: it is outside, or reserved.",
                    wanted->to_string(), prefix.to_string()));
  if (wanted && std::binary_search(used.begin(), used.end(), *wanted))
    throw Refusal(Errc::ResourceInUse, fmt::format("{} is in use. Choose another address, or none.",
                                                   wanted->to_string()));
  const auto free = usable_addresses(prefix) - static_cast<std::int64_t>(used.size());
  if (free <= 0)
    throw Refusal(Errc::SubnetIpExhausted,
                  fmt::format("The subnet '{}' has no free address. Use another subnet.",
                              subnet["name"].as<std::string>()));
  const auto address =
      wanted ? *wanted : nth_free(prefix, used, random_number(static_cast<unsigned>(free)) - 1);
  call.tx.exec_params("INSERT INTO address VALUES ($1, $2, $3)", subnet_id, address.to_string(),
                      instance_id);
  return address;
}

void release_address(const Call& call, const std::string& instance_id) {
  call.tx.exec_params("DELETE FROM address WHERE instance_id = $1", instance_id);
}

}  // namespace hub::instances
