#include "tests/chaos/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace hub::test {
namespace {

// Of a device's messages, one in so many is …
constexpr std::uint64_t kNotJson = 101;      // … not JSON: a dead letter of every rule
constexpr std::uint64_t kTooLarge = 37;      // … beyond smallint: refused before it reaches a batch
constexpr std::uint64_t kAgainstCheck = 61;  // … against the CHECK: refused by the database

bool is_json(std::uint64_t number) { return number % kNotJson != 0; }

std::string_view topic_level(Lane lane) {
  switch (lane) {
    case Lane::plain:
      return "plain";
    case Lane::keyed:
      return "keyed";
    case Lane::mixed:
      return "mixed";
  }
  return "";
}

constexpr std::string_view kSequenceRules[] = {"plain", "checked"};

bool is_sequence_rule(std::string_view name) {
  return std::find(std::begin(kSequenceRules), std::end(kSequenceRules), name) !=
         std::end(kSequenceRules);
}

std::string rule(std::string_view name, std::string_view outputs, std::string_view filters,
                 std::string_view more = {}) {
  return fmt::format(
      "[[rule]]\nname = \"{0}\"\n{4}sql = '''\n  SELECT {1}\n  FROM {2}\n'''\n"
      "[[rule.action]]\ntype = \"dump\"\ntable = \"{0}\"\n{3}\n",
      name, outputs, filters, more, is_sequence_rule(name) ? "sequence = \"n\"\n" : "");
}

std::uint64_t scramble(std::uint64_t number) {
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  return number ^ (number >> 31);
}

}  // namespace

std::string rule_file() {
  constexpr std::string_view kCommon = "topic(3) AS device, payload.n AS n, payload.t AS t";
  constexpr std::string_view kKey = "key = [\"device\", \"n\"]\n";
  constexpr std::string_view kPlain = R"("chaos/plain/+", "chaos/mixed/+")";
  constexpr std::string_view kKeyed = R"("chaos/keyed/+", "chaos/mixed/+")";
  constexpr std::string_view kMixed = R"("chaos/mixed/+")";
  std::string out;
  out += rule("plain", fmt::format("{}, timestamp AS received_at", kCommon), kPlain);
  out += rule("raw", "topic(3) AS device, timestamp AS received_at, payload", kPlain);
  out += rule("keyed", kCommon, kKeyed, kKey);
  out += rule("narrow", fmt::format("{}, payload.small AS small", kCommon), kMixed);
  out += rule("checked", fmt::format("{}, payload.level AS level", kCommon), kMixed);
  out += rule("latest", "topic(3) AS device, payload.n AS n", kMixed,
              "key = [\"device\"]\non_conflict = \"update\"\n");
  return out;
}

DeviceProfile device_profile(std::size_t index) {
  DeviceProfile out;
  out.client_id = fmt::format("d{}", index);
  out.lane = static_cast<Lane>(index % 3);
  switch (index / 3 % 3) {
    case 0:
      out.qos[0] = out.qos[1] = out.qos[2] = true;
      break;
    case 1:
      out.qos[1] = true;
      break;
    case 2:
      out.qos[2] = true;
      break;
  }
  out.padding_bytes = index % 5 == 4 ? 4'000 : index % 7;
  return out;
}

DurableDevice::Publication message(const DeviceProfile& device, std::uint64_t number) {
  DurableDevice::Publication out;
  out.topic = fmt::format("chaos/{}/{}", topic_level(device.lane), device.client_id);
  out.payload =
      is_json(number)
          ? fmt::format(R"({{"n": {}, "t": {}, "small": {}, "level": {}, "pad": "{:x<{}}"}})",
                        number, static_cast<double>(number) * 0.5,
                        number % kTooLarge == 0 ? 70'000 : number % 1'000,
                        number % kAgainstCheck == 0 ? 500 : number % 100, "", device.padding_bytes)
          : fmt::format(R"({{"n": {}, cut off)", number);
  std::uint64_t at = scramble(number) % 3;
  while (!device.qos[at]) at = (at + 1) % 3;
  out.qos = static_cast<Qos>(at);
  return out;
}

const std::vector<TableRule>& table_rules() {
  static const std::vector<TableRule> rules = [] {
    constexpr std::string_view kRows =
        "count(*), count(*) FILTER (WHERE t IS DISTINCT FROM n * 0.5::float8)";
    static const std::string plain =
        fmt::format("SELECT device, n, {} FROM plain GROUP BY 1, 2", kRows);
    static const std::string keyed =
        fmt::format("SELECT device, n, {} FROM keyed GROUP BY 1, 2", kRows);
    static const std::string narrow =
        fmt::format("SELECT device, n, {} FROM narrow GROUP BY 1, 2", kRows);
    static const std::string checked =
        fmt::format("SELECT device, n, {} FROM checked GROUP BY 1, 2", kRows);
    static const std::string raw = fmt::format(
        "SELECT device, n, {} FROM (SELECT device, (payload->>'n')::bigint AS n, "
        "(payload->>'t')::float8 AS t FROM raw) AS r GROUP BY 1, 2",
        kRows);
    return std::vector<TableRule>{{"plain", plain},
                                  {"raw", raw},
                                  {"keyed", keyed, true},
                                  {"narrow", narrow},
                                  {"checked", checked}};
  }();
  return rules;
}

bool watches_sequence(const TableRule& rule) noexcept { return is_sequence_rule(rule.name); }

bool has_number(std::uint64_t number) noexcept { return is_json(number); }

Fate fate(const TableRule& rule, const DeviceProfile& device, std::uint64_t number) {
  const bool takes = device.lane == Lane::mixed ||
                     (device.lane == Lane::keyed ? rule.name == "keyed"
                                                 : rule.name == "plain" || rule.name == "raw");
  if (!takes) return Fate::nothing;
  if (!is_json(number)) return Fate::dead_letter;
  if (rule.name == "narrow" && number % kTooLarge == 0) return Fate::dead_letter;
  if (rule.name == "checked" && number % kAgainstCheck == 0) return Fate::dead_letter;
  return Fate::row;
}

bool sets_latest(const DeviceProfile& device, std::uint64_t number) {
  return device.lane == Lane::mixed && is_json(number);
}

}  // namespace hub::test
