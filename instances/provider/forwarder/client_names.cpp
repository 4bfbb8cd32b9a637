#include "instances/provider/forwarder/client_names.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <bit>
#include <memory>

#include "instances/provider/network.h"

namespace hub::instances {
namespace {

constexpr auto kRefreshAfter = std::chrono::seconds(1);

Ipv4 to_ipv4(const sockaddr* address) {
  return {ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr)};
}

}  // namespace

Ipv4 ClientNames::name_of(Ipv4 client) {
  // Subnets come and go while a forwarder runs.
  if (refreshed_ == Clock::time_point::min() || Clock::now() - refreshed_ > kRefreshAfter)
    refresh();
  for (const auto& network : local_)
    if (network.contains(client)) return kUnroutableClient;
  return client;
}

void ClientNames::refresh() {
  refreshed_ = Clock::now();
  local_ = {Cidr{{0x7f000000}, 8}};
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned(list, ::freeifaddrs);
  for (const auto* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    const auto mask = to_ipv4(entry->ifa_netmask);
    local_.push_back({{to_ipv4(entry->ifa_addr).bits & mask.bits},
                      static_cast<std::uint8_t>(std::popcount(mask.bits))});
  }
}

}  // namespace hub::instances
