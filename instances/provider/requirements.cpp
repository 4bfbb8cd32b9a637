#include "instances/provider/requirements.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string_view>
#include <thread>
#include <utility>

#include "instances/provider/firewall.h"
#include "instances/provider/program.h"
#include "instances/provider/provider.h"

namespace hub::instances {
namespace {

std::uint64_t effective_capabilities() {
  std::ifstream file("/proc/self/status");
  constexpr std::string_view kKey = "CapEff:\t";
  std::uint64_t bits = 0;
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(kKey))
      std::from_chars(line.data() + kKey.size(), line.data() + line.size(), bits, 16);
  return bits;
}

void note_privileges(std::vector<std::string>& missing) {
  constexpr std::array<std::pair<int, const char*>, 7> kNeeded{
      std::pair{CAP_SYS_ADMIN, "CAP_SYS_ADMIN (network namespaces)"},
      std::pair{CAP_NET_ADMIN, "CAP_NET_ADMIN (interfaces, traffic rules)"},
      std::pair{CAP_NET_RAW, "CAP_NET_RAW (public endpoints)"},
      std::pair{CAP_SETUID, "CAP_SETUID (a user per instance)"},
      std::pair{CAP_SETGID, "CAP_SETGID"},
      std::pair{CAP_CHOWN, "CAP_CHOWN"},
      std::pair{CAP_KILL, "CAP_KILL"}};
  const auto held = effective_capabilities();
  std::string names;
  for (const auto& [number, name] : kNeeded)
    if ((held >> number & 1) == 0) names += (names.empty() ? "" : ", ") + std::string(name);
  if (!names.empty())
    missing.push_back("this process lacks " + names + ": start it as root (sudo)");
  else if (::geteuid() != 0)
    missing.emplace_back("this process is not root, and owns files that only root may give away");
}

void note_programs(std::vector<std::string>& missing) {
  constexpr std::array<std::pair<const char*, const char*>, 4> kNeeded{
      std::pair{"ip", "iproute2"}, std::pair{"nft", "nftables"}, std::pair{"setpriv", "util-linux"},
      std::pair{"unshare", "util-linux"}};
  for (const auto& [name, package] : kNeeded)
    if (!find_program(name))
      missing.push_back(
          fmt::format("the program {} is not installed: apt-get install {}", name, package));
}

// In a namespace of the calling thread's own, which ends with it.
void try_network(std::vector<std::string>& missing) {
  if (::unshare(CLONE_NEWNET) != 0) {
    missing.push_back(
        fmt::format("the kernel makes no network namespace: {}", std::strerror(errno)));
    return;
  }
  const auto attempt = [&](const char* part, const Program& program) {
    try {
      require_program(program, fmt::format("the kernel lacks {}", part));
    } catch (const ProviderError& error) {
      missing.emplace_back(error.what());
    }
  };
  const std::array<TrafficRule, 2> rules{
      TrafficRule{Direction::inbound, Protocol::tcp, kAnywhere, 1, 2},
      TrafficRule{Direction::outbound, Protocol::icmp, kAnywhere, 0, 0}};
  attempt("bridges", {{"ip", "link", "add", "try0", "type", "bridge"}, {}});
  attempt("veth interfaces",
          {{"ip", "link", "add", "try1", "type", "veth", "peer", "name", "try2"}, {}});
  attempt("parts of nftables (conntrack, reject)",
          {{"nft", "-f", "-"}, port_firewall("try", rules)});
  attempt("parts of nftables (socket, fib)", {{"nft", "-f", "-"}, vpc_firewall("try")});
}

}  // namespace

std::vector<std::string> missing_for_isolation() {
  std::vector<std::string> missing;
  note_privileges(missing);
  note_programs(missing);
  if (missing.empty()) std::jthread([&missing] { try_network(missing); }).join();
  return missing;
}

}  // namespace hub::instances
