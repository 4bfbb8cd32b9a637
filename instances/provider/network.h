#pragma once

#include <string>
#include <vector>

#include "instances/provider/provider.h"

// The networks of one installation, as they are in the kernel: there is no other record of them.
//
//   VPC     a namespace, which routes between its subnets and has no way out
//   subnet  a bridge in it, which has the gateway's address
//   port    a namespace of its own with one interface, eth0, joined to the subnet's bridge
//
// No call leaves an interface or an address in the machine's own namespace, not for a moment.

namespace hub::instances {

// A client on this machine's own loopback, or whose address also is one of a subnet, reaches an
// instance's endpoint under this address: of the block that carriers share (RFC 6598), so that
// no rule that allows a private range allows it.
inline constexpr Ipv4 kUnroutableClient{0x64400001};  // 100.64.0.1

class Network {
 public:
  explicit Network(std::string installation) : installation_(std::move(installation)) {}

  void ensure_vpc(const std::string& vpc_id) const;
  void ensure_subnet(const SubnetSpec& spec) const;
  void ensure_port(const PortSpec& spec) const;

  void remove_vpc(const std::string& vpc_id) const;
  void remove_subnet(const std::string& subnet_id) const;
  void remove_port(const std::string& instance_id) const;

  // VPCs, subnets and ports, half-made ones among them.
  [[nodiscard]] std::vector<Owned> list() const;

  [[nodiscard]] std::string vpc_namespace(const std::string& vpc_id) const;
  [[nodiscard]] std::string port_namespace(const std::string& instance_id) const;

  // The address of a port, from its interface; throws when there is no such port.
  [[nodiscard]] Ipv4 address(const std::string& instance_id) const;

 private:
  [[nodiscard]] std::string vpc_prefix() const { return installation_ + "-v-"; }
  [[nodiscard]] std::string port_prefix() const { return installation_ + "-p-"; }

  const std::string installation_;
};

// An interface name for an id, unique in a VPC: at most 15 characters, as the kernel has it.
[[nodiscard]] std::string interface_name(char kind, std::string_view id);

}  // namespace hub::instances
