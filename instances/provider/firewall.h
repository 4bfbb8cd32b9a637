#pragma once

#include <span>
#include <string>
#include <string_view>

#include "instances/provider/provider.h"

// Traffic rules as nftables scripts. `nft -f` carries a script out as one transaction: no packet
// meets half of it.

namespace hub::instances {

// For a port's namespace. What no rule allows is refused (TCP reset, or ICMP "administratively
// prohibited") rather than lost, so that a client learns at once. Each packet of a connection is
// held against the rules, not only its first one: taking a rule away cuts the connections that it
// had let in. Loopback is free.
[[nodiscard]] std::string port_firewall(std::string_view table, std::span<const TrafficRule> rules);

// For a VPC's namespace, whose own stack is nobody's service: it answers pings of its gateways,
// and hears the connections that forwarders opened from it in the names of outside clients.
[[nodiscard]] std::string vpc_firewall(std::string_view table);

}  // namespace hub::instances
