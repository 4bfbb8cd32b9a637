#include "instances/provider/network.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <bit>
#include <boost/json.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include "instances/provider/fingerprint.h"
#include "instances/provider/firewall.h"
#include "instances/provider/namespaces.h"
#include "instances/provider/program.h"

namespace hub::instances {
namespace {

using Next = ProviderError::Next;

// Commands for `ip -batch`, carried out in order in the calling thread's namespace up to the first
// that fails.
void run_ip(const std::string& commands, const std::string& what) {
  require_program({{"ip", "-batch", "-"}, commands}, what);
}

void run_nft(const std::string& script, const std::string& what) {
  require_program({{"nft", "-f", "-"}, script}, what);
}

bool interface_exists(const std::string& name) { return ::if_nametoindex(name.c_str()) != 0; }

// An interface also ends by itself, at any moment, once the namespace of its other end is gone.
void delete_interface(const std::string& name, const std::string& what) {
  if (!interface_exists(name)) return;
  try {
    run_ip(fmt::format("link delete {}\n", name), what);
  } catch (const ProviderError&) {
    if (interface_exists(name)) throw;
  }
}

struct InterfaceAddress {
  Ipv4 address;
  std::uint8_t mask = 0;
};

Ipv4 to_ipv4(const sockaddr* address) {
  return {ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr)};
}

// The first IPv4 address of an interface of the calling thread's namespace.
std::optional<InterfaceAddress> interface_address(std::string_view interface) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return std::nullopt;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned(list, ::freeifaddrs);
  for (const auto* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    if (interface != entry->ifa_name) continue;
    const auto mask = std::popcount(to_ipv4(entry->ifa_netmask).bits);
    return InterfaceAddress{to_ipv4(entry->ifa_addr), static_cast<std::uint8_t>(mask)};
  }
  return std::nullopt;
}

// The hardware address that goes with an IPv4 address of a VPC, a locally administered one. Where
// an address moves to another instance, or a bridge loses a port, what the others remember of their
// neighbours stays true; they would go on for half a minute with what was true before.
std::string hardware_address(Ipv4 address) {
  const auto bits = address.bits;
  return fmt::format("02:00:{:02x}:{:02x}:{:02x}:{:02x}", bits >> 24, bits >> 16 & 0xff,
                     bits >> 8 & 0xff, bits & 0xff);
}

// The kernel brings both ends of a new link into service some time after they were told to be up;
// until then a bridge drops their packets.
void wait_until_running(const std::string& interface, const std::string& what) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  const FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  while (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0 ||
         (request.ifr_flags & IFF_RUNNING) == 0) {
    if (std::chrono::steady_clock::now() > deadline)
      throw ProviderError(Next::retry, what + ": its link does not come up");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// The ids that ensure_subnet() wrote on the bridges of the calling thread's namespace.
std::vector<std::string> bridge_ids() {
  const auto text =
      require_program({{"ip", "-json", "link", "show", "type", "bridge"}, {}}, "listing subnets");
  std::vector<std::string> ids;
  const auto links = boost::json::parse(text.empty() ? "[]" : text);
  for (const auto& link : links.as_array()) {
    const auto* alias = link.as_object().if_contains("ifalias");
    if (alias != nullptr) ids.emplace_back(alias->as_string());
  }
  return ids;
}

}  // namespace

std::string interface_name(char kind, std::string_view id) {
  return fmt::format("{}{:012x}", kind, stable_hash(id) >> 16);
}

std::string Network::vpc_namespace(const std::string& vpc_id) const {
  return vpc_prefix() + vpc_id;
}

std::string Network::port_namespace(const std::string& instance_id) const {
  return port_prefix() + instance_id;
}

void Network::ensure_vpc(const std::string& vpc_id) const {
  const auto name = vpc_namespace(vpc_id);
  ensure_namespace(name);
  const NamespaceScope inside(name);
  run_nft(vpc_firewall(installation_), "VPC " + vpc_id);
  write_setting("net/ipv4/ip_forward", "1");
  write_setting("net/ipv4/conf/all/send_redirects", "0");
  write_setting("net/ipv4/ip_local_port_range", "1024 65535");
  // What belongs to no subnet is for this namespace itself: the answers to clients outside, in
  // whose names a forwarder connects. The firewall refuses whatever else comes that way.
  run_ip("route replace local default dev lo table main\n", "VPC " + vpc_id);
}

void Network::ensure_subnet(const SubnetSpec& spec) const {
  const auto name = vpc_namespace(spec.vpc_id);
  if (!namespace_exists(name))
    throw ProviderError(Next::retry, fmt::format("subnet {}: its VPC {} is not on this machine",
                                                 spec.subnet_id, spec.vpc_id));
  const NamespaceScope inside(name);
  const auto bridge = interface_name('b', spec.subnet_id);
  const auto what = "subnet " + spec.subnet_id;
  if (!interface_exists(bridge))
    run_ip(fmt::format("link add {} type bridge stp_state 0 mcast_snooping 0\n", bridge), what);
  run_ip(fmt::format("link set {0} alias {1} address {2}\n"
                     "address replace {3}/{4} dev {0}\n"
                     "link set {0} up\n",
                     bridge, spec.subnet_id, hardware_address(spec.gateway),
                     spec.gateway.to_string(), spec.prefix.mask),
         what);
}

void Network::ensure_port(const PortSpec& spec) const {
  const auto vpc = vpc_namespace(spec.vpc_id);
  const auto bridge = interface_name('b', spec.subnet_id);
  const auto outer = interface_name('p', spec.instance_id);
  const auto what = "port " + spec.instance_id;
  if (!namespace_exists(vpc))
    throw ProviderError(Next::retry,
                        fmt::format("{}: its VPC {} is not on this machine", what, spec.vpc_id));

  const auto port = port_namespace(spec.instance_id);
  ensure_namespace(port);
  bool joined = false;
  {
    // Before there is an interface: no packet comes or goes that the rules do not allow.
    const NamespaceScope inside(port);
    run_nft(port_firewall(installation_, spec.rules), what);
    joined = interface_exists("eth0");
    const auto present = interface_address("eth0");
    if (present && present->address != spec.address) run_ip("address flush dev eth0\n", what);
  }

  std::optional<InterfaceAddress> gateway;
  {
    const NamespaceScope inside(vpc);
    if (!interface_exists(bridge))
      throw ProviderError(Next::retry, fmt::format("{}: its subnet {} is not on this machine", what,
                                                   spec.subnet_id));
    gateway = interface_address(bridge);
    if (!gateway)
      throw ProviderError(Next::retry,
                          fmt::format("{}: its subnet {} is half-made", what, spec.subnet_id));
    std::string commands;
    if (!joined)
      commands = fmt::format("link add {} type veth peer name eth0 netns {}\n", outer, port);
    commands += fmt::format("link set {0} master {1}\nlink set {0} alias {2}\nlink set {0} up\n",
                            outer, bridge, spec.instance_id);
    run_ip(commands, what);
  }
  {
    const NamespaceScope inside(port);
    run_ip(
        fmt::format("link set eth0 address {}\naddress replace {}/{} dev eth0\nlink set eth0 up\n",
                    hardware_address(spec.address), spec.address.to_string(), gateway->mask),
        what);
    wait_until_running("eth0", what);
  }
  {
    const NamespaceScope inside(vpc);
    wait_until_running(outer, what);
  }
  const NamespaceScope inside(port);
  run_ip(fmt::format("route replace default via {}\n", gateway->address.to_string()), what);
}

void Network::remove_vpc(const std::string& vpc_id) const {
  const auto name = vpc_namespace(vpc_id);
  if (namespace_exists(name)) {
    // A namespace ends some time after its file is gone; its interfaces are to end with this call.
    const NamespaceScope inside(name);
    for (const auto& subnet : bridge_ids())
      delete_interface(interface_name('b', subnet), "VPC " + vpc_id);
  }
  remove_namespace(name);
}

void Network::remove_subnet(const std::string& subnet_id) const {
  const auto bridge = interface_name('b', subnet_id);
  for (const auto& name : namespaces_with_prefix(vpc_prefix())) {
    if (!namespace_exists(name)) continue;
    const NamespaceScope inside(name);
    delete_interface(bridge, "subnet " + subnet_id);
  }
}

void Network::remove_port(const std::string& instance_id) const {
  const auto name = port_namespace(instance_id);
  if (namespace_exists(name)) {
    const NamespaceScope inside(name);
    delete_interface("eth0", "port " + instance_id);
  }
  remove_namespace(name);
}

std::vector<Owned> Network::list() const {
  std::vector<Owned> owned;
  for (const auto& name : namespaces_with_prefix(vpc_prefix())) {
    owned.push_back({ResourceKind::vpc, name.substr(vpc_prefix().size())});
    if (!namespace_exists(name)) continue;
    const NamespaceScope inside(name);
    for (auto& id : bridge_ids()) owned.push_back({ResourceKind::subnet, std::move(id)});
  }
  for (const auto& name : namespaces_with_prefix(port_prefix()))
    owned.push_back({ResourceKind::port, name.substr(port_prefix().size())});
  return owned;
}

Ipv4 Network::address(const std::string& instance_id) const {
  const auto name = port_namespace(instance_id);
  if (namespace_exists(name)) {
    const NamespaceScope inside(name);
    if (const auto address = interface_address("eth0")) return address->address;
  }
  throw ProviderError(Next::retry, "instance " + instance_id + " has no port on this machine");
}

}  // namespace hub::instances
