#include "instances/provider/firewall.h"

#include <fmt/format.h>

namespace hub::instances {
namespace {

// The table may be there from an earlier call: adding it makes deleting it safe.
std::string open_table(std::string_view table) {
  return fmt::format("add table inet {0}\ndelete table inet {0}\ntable inet {0} {{\n", table);
}

std::string_view peer_word(Direction direction) {
  return direction == Direction::inbound ? "saddr" : "daddr";
}

std::string rule_line(const TrafficRule& rule) {
  auto line = rule.peer == kAnywhere
                  ? std::string("    ")
                  : fmt::format("    ip {} {} ", peer_word(rule.direction), rule.peer.to_string());
  switch (rule.protocol) {
    case Protocol::all:
      break;
    case Protocol::icmp:
      line += "meta l4proto icmp ";
      break;
    case Protocol::tcp:
    case Protocol::udp:
      line += fmt::format("{} dport {}-{} ", rule.protocol == Protocol::tcp ? "tcp" : "udp",
                          rule.from_port, rule.to_port);
      break;
  }
  return line + "accept\n";
}

std::string chain(std::string_view hook, Direction direction, std::string_view interface_word,
                  std::span<const TrafficRule> rules) {
  auto text = fmt::format(
      "  chain {0} {{\n"
      "    type filter hook {0} priority filter; policy drop;\n"
      "    {1} \"lo\" accept\n"
      "    ct state established ct direction reply accept\n"
      "    ct state related accept\n",
      hook, interface_word);
  for (const auto& rule : rules)
    if (rule.direction == direction) text += rule_line(rule);
  text +=
      "    meta l4proto tcp reject with tcp reset\n"
      "    reject with icmpx admin-prohibited\n"
      "  }\n";
  return text;
}

}  // namespace

std::string port_firewall(std::string_view table, std::span<const TrafficRule> rules) {
  return open_table(table) + chain("input", Direction::inbound, "iifname", rules) +
         chain("output", Direction::outbound, "oifname", rules) + "}\n";
}

std::string vpc_firewall(std::string_view table) {
  return open_table(table) +
         "  chain input {\n"
         "    type filter hook input priority filter; policy drop;\n"
         "    iifname \"lo\" accept\n"
         "    socket transparent 1 accept\n"
         "    fib daddr . iif type local icmp type echo-request accept\n"
         "    reject with icmpx no-route\n"
         "  }\n"
         "}\n";
}

}  // namespace hub::instances
