#include "hub/ledger_command.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <stdexcept>
#include <thread>

#include "base/text_table.h"
#include "hub/control_socket.h"
#include "hub/hub_database.h"
#include "hub/ledger_report.h"
#include "storage/ledger_reader.h"

namespace hub {
namespace {

namespace json = boost::json;
using storage::LedgerCounts;

// Database and hub are asked one after the other; a batch that commits in between would be counted
// twice or not at all. The marks of the batches tell.
constexpr int kLooks = 50;
constexpr std::chrono::milliseconds kBetweenLooks{20};

struct Line {
  std::string rule;
  std::optional<std::string> device;
  LedgerCounts counts;
  std::int64_t pending = 0;
  storage::LedgerRows rows;

  [[nodiscard]] std::int64_t missing() const {
    return counts.received - counts.accounted() - pending;
  }
};

struct Look {
  std::vector<Line> lines;
  bool hub_runs = false;
  bool at_one_moment = true;
  std::uint64_t spooled_messages = 0;
  std::uint64_t spooled_bytes = 0;
};

bool same_moment(const storage::LedgerSnapshot& database, const UnbookedLedger& hub) {
  return std::all_of(hub.batches.begin(), hub.batches.end(), [&](const auto& entry) {
    const auto found = database.batches.find(entry.first);
    return (found == database.batches.end() ? 0 : found->second) == entry.second;
  });
}

Look look(const std::string& url, const storage::LedgerFilter& filter, const Config& config) {
  Look out;
  storage::LedgerSnapshot database;
  std::optional<UnbookedLedger> hub;
  for (int looks = 0; looks < kLooks; ++looks) {
    if (looks > 0) std::this_thread::sleep_for(kBetweenLooks);
    database = storage::read_ledger(url, filter);
    hub.reset();
    if (const auto answer = ask_hub(config.data_dir, "ledger")) hub = parse_unbooked(*answer);
    out.at_one_moment = !hub || same_moment(database, *hub);
    if (out.at_one_moment) break;
  }
  out.hub_runs = hub.has_value();
  std::map<std::string, Line> lines;
  for (const auto& [name, rule] : database.rules) {
    lines[name] = {name, std::nullopt, rule.counts, 0, rule.rows};
  }
  if (hub) {
    for (const auto& [name, rule] : hub->rules) {
      if (filter.rule && *filter.rule != name) continue;
      Line& line = lines[name];
      line.rule = name;
      line.counts += rule.counts;
      line.pending = rule.pending;
    }
    out.spooled_messages = hub->spooled_messages;
    out.spooled_bytes = hub->spooled_bytes;
  }
  for (auto& [name, line] : lines) out.lines.push_back(std::move(line));
  return out;
}

void print_lines(const std::vector<Line>& lines, bool devices, std::ostream& out) {
  TextTable table;
  std::vector<std::string> head{"rule"};
  if (devices) head.emplace_back("device");
  LedgerCounts{}.for_each([&](std::string_view name, std::int64_t) { head.emplace_back(name); });
  if (!devices) head.insert(head.end(), {"pending", "rows", "duplicates"});
  table.add(head);
  for (const Line& line : lines) {
    std::vector<std::string> cells{line.rule};
    if (devices) cells.push_back(*line.device);
    line.counts.for_each(
        [&](std::string_view, std::int64_t value) { cells.push_back(std::to_string(value)); });
    if (!devices) {
      cells.insert(cells.end(), {std::to_string(line.pending), std::to_string(line.rows.rows),
                                 std::to_string(line.rows.duplicates)});
    }
    table.add(cells);
  }
  table.print(out, devices ? 2 : 1);
}

json::object to_json(const Line& line) {
  json::object out{{"rule", line.rule}};
  if (line.device) out["device"] = *line.device;
  line.counts.for_each([&](std::string_view name, std::int64_t value) { out[name] = value; });
  if (!line.device) {
    out["pending"] = line.pending;
    out["rows"] = line.rows.rows;
    out["duplicates"] = line.rows.duplicates;
  }
  out["balanced"] = line.missing() == 0;
  return out;
}

std::string name_of(const Line& line) {
  std::string out = fmt::format("rule \"{}\"", line.rule);
  if (line.device) out += fmt::format(", device \"{}\"", *line.device);
  return out;
}

int answer(const std::vector<Line>& lines, bool devices, bool as_json, json::object facts,
           std::ostream& out) {
  const bool balanced =
      std::all_of(lines.begin(), lines.end(), [](const Line& line) { return line.missing() == 0; });
  if (as_json) {
    json::array entries;
    for (const Line& line : lines) entries.push_back(to_json(line));
    facts[devices ? "devices" : "rules"] = std::move(entries);
    facts["balanced"] = balanced;
    out << json::serialize(facts) << '\n';
    return balanced ? kSuccess : kFailure;
  }
  print_lines(lines, devices, out);
  for (const Line& line : lines) {
    if (line.missing() == 0) continue;
    out << fmt::format("{} does not balance: {} received, {} accounted for\n", name_of(line),
                       line.counts.received, line.counts.accounted() + line.pending);
  }
  return balanced ? kSuccess : kFailure;
}

int show_rules(const storage::LedgerFilter& filter, const std::string& url, const Config& config,
               bool as_json, std::ostream& out) {
  const Look found = look(url, filter, config);
  if (filter.rule && found.lines.empty()) {
    throw std::runtime_error(fmt::format("the ledger has no rule \"{}\"", *filter.rule));
  }
  const int status = answer(found.lines, false, as_json,
                            {{"hub_runs", found.hub_runs},
                             {"at_one_moment", found.at_one_moment},
                             {"spooled_messages", found.spooled_messages},
                             {"spooled_bytes", found.spooled_bytes}},
                            out);
  if (!as_json && found.spooled_messages > 0) {
    out << fmt::format("of what is pending, {} messages ({} bytes) are in the spool\n",
                       found.spooled_messages, found.spooled_bytes);
  }
  if (!as_json && !found.at_one_moment) {
    out << "batches commit faster than can be looked at: what is in one of them may be counted "
           "twice, or not at all\n";
  }
  return status;
}

int show_devices(const storage::LedgerFilter& filter, const std::string& url, bool as_json,
                 std::ostream& out) {
  std::vector<Line> lines;
  for (auto& account : storage::read_device_ledger(url, filter)) {
    lines.push_back({std::move(account.rule), std::move(account.device), account.counts, 0, {}});
  }
  if (filter.device && lines.empty()) {
    throw std::runtime_error(fmt::format("the ledger has no device \"{}\"", *filter.device));
  }
  return answer(lines, true, as_json, {}, out);
}

std::string shown_range(std::int64_t first, std::int64_t last) {
  return first == last ? std::to_string(first) : fmt::format("{}-{}", first, last);
}

int show_gaps(const storage::LedgerFilter& filter, const std::string& url, bool as_json,
              std::ostream& out) {
  const std::vector<storage::DeviceGaps> found = storage::read_gaps(url, filter);
  json::array entries;
  TextTable table;
  table.add({"rule", "device", "seen", "missing"});
  for (const storage::DeviceGaps& device : found) {
    json::array missing;
    std::string shown;
    for (const auto& [first, last] : device.missing) {
      missing.push_back(json::array{first, last});
      shown += (shown.empty() ? "" : ", ") + shown_range(first, last);
    }
    if (device.given_up > 0) {
      shown += fmt::format("{}and {} in older gaps", shown.empty() ? "" : ", ", device.given_up);
    }
    table.add({device.rule, device.device, shown_range(device.first, device.last), shown});
    entries.push_back({{"rule", device.rule},
                       {"device", device.device},
                       {"first", device.first},
                       {"last", device.last},
                       {"missing", std::move(missing)},
                       {"given_up", device.given_up}});
  }
  if (as_json) {
    out << json::serialize(json::object{{"gaps", std::move(entries)}}) << '\n';
  } else {
    table.print(out, 4);
  }
  return kSuccess;
}

}  // namespace

int run_ledger_command(const LedgerArguments& arguments, const Config& config, std::ostream& out) {
  const HubDatabase database = HubDatabase::for_readers(config);
  const storage::LedgerFilter filter{arguments.rule, arguments.device};
  if (arguments.gaps) return show_gaps(filter, database.url(), arguments.json, out);
  if (arguments.devices || arguments.device) {
    return show_devices(filter, database.url(), arguments.json, out);
  }
  return show_rules(filter, database.url(), config, arguments.json, out);
}

}  // namespace hub
