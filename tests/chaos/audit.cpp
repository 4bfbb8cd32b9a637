#include "tests/chaos/audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace hub::test {
namespace {

struct Found {
  std::uint32_t rows = 0;
  std::uint32_t wrong_rows = 0;
  std::uint32_t dead_letters = 0;
};

// What one rule made of one device's messages, by number from the first of the records on.
using Findings = std::vector<Found>;

class Auditor {
 public:
  Auditor(SqlConnection& database, const Fleet& fleet, std::vector<std::string>& violations)
      : database_(database), fleet_(fleet), violations_(violations) {
    for (std::size_t i = 0; i < fleet.size(); ++i) {
      devices_.emplace(fleet.profile(i).client_id, i);
    }
  }

  Account run() {
    for (std::size_t i = 0; i < fleet_.size(); ++i) count_messages(i);
    for (const TableRule& rule : table_rules()) {
      std::vector<Findings> found = read(rule);
      for (std::size_t i = 0; i < fleet_.size(); ++i) check(rule, i, found[i]);
      if (!watches_sequence(rule)) continue;
      check_sums(rule);
      check_sequence(rule, found);
    }
    check_latest();
    return account_;
  }

 private:
  [[nodiscard]] const std::vector<DurableDevice::Record>& records(std::size_t device) const {
    return fleet_.device(device).records();
  }

  void violation(std::string_view rule, std::size_t device, std::size_t index,
                 std::string_view what, const Found& found) {
    const DurableDevice::Record& record = records(device)[index];
    violations_.push_back(fmt::format(
        "rule {}, device {}, message {}: {} (QoS {}, sent {} times, {}acknowledged; rows {}, of "
        "them wrong {}, dead letters {})",
        rule, fleet_.profile(device).client_id, fleet_.device(device).first_number() + index, what,
        static_cast<int>(record.qos), record.sends, record.acknowledged ? "" : "not ", found.rows,
        found.wrong_rows, found.dead_letters));
  }

  void count_messages(std::size_t device) {
    for (const DurableDevice::Record& record : records(device)) {
      ++account_.messages;
      account_.acknowledged += record.acknowledged ? 1 : 0;
      account_.resends += record.sends - 1;
    }
  }

  // The place of a message in `found`, or nullptr when nobody sent it lately.
  Found* place(std::vector<Findings>& found, const TableRule& rule, const std::string& device,
               const std::string& number) {
    const auto known = devices_.find(device);
    if (known != devices_.end() && !number.empty()) {
      const std::uint64_t first = fleet_.device(known->second).first_number();
      const std::uint64_t n = std::stoull(number);
      Findings& of_device = found[known->second];
      if (n >= first && n < first + of_device.size()) return &of_device[n - first];
    }
    violations_.push_back(fmt::format(
        "rule {}, device {}, message {}: there, and not of this round", rule.name, device, number));
    return nullptr;
  }

  std::vector<Findings> read(const TableRule& rule) {
    std::vector<Findings> found(fleet_.size());
    for (std::size_t i = 0; i < fleet_.size(); ++i) found[i].resize(records(i).size());
    for (const auto& row : database_.query(std::string(rule.rows_sql))) {
      if (Found* at = place(found, rule, row[0], row[1])) {
        at->rows += static_cast<std::uint32_t>(std::stoul(row[2]));
        at->wrong_rows += static_cast<std::uint32_t>(std::stoul(row[3]));
      }
    }
    for (const auto& row : database_.query(fmt::format(
             "SELECT split_part(topic, '/', 3), substring(convert_from(payload, 'UTF8') from "
             "'\"n\": ([0-9]+)'), count(*) FROM iothub.dead_letter WHERE rule = '{}' GROUP BY 1, 2",
             rule.name))) {
      if (Found* at = place(found, rule, row[0], row[1])) {
        at->dead_letters += static_cast<std::uint32_t>(std::stoul(row[2]));
      }
    }
    return found;
  }

  void check(const TableRule& rule, std::size_t device, const Findings& found) {
    const std::uint64_t first = fleet_.device(device).first_number();
    for (std::size_t i = 0; i < found.size(); ++i) {
      const Found& at = found[i];
      const DurableDevice::Record& record = records(device)[i];
      const auto broken = [&](std::string_view what) { violation(rule.name, device, i, what, at); };
      const std::uint32_t traces = at.rows + at.dead_letters;
      const Fate expected = fate(rule, fleet_.profile(device), first + i);
      account_.rows += at.rows;
      account_.dead_letters += at.dead_letters;
      if (expected == Fate::nothing) {
        if (traces > 0) broken("in a table of a rule that does not take it");
        continue;
      }
      if (record.acknowledged && traces == 0) broken("acknowledged, and lost");
      if (at.wrong_rows > 0) broken("stored with a wrong value");
      if (expected == Fate::dead_letter && at.rows > 0) broken("a bad row that was stored");
      if (expected == Fate::row && at.dead_letters > 0) broken("a good row that is a dead letter");
      if (rule.keyed && at.rows > 1) broken("a keyed row that is there twice");
      switch (record.qos) {
        case Qos::at_most_once:
          if (traces > 1) broken("QoS 0, and there twice");
          if (traces == 0) ++account_.qos0_lost;
          break;
        case Qos::at_least_once:
          if (traces > record.sends) broken("there more often than it was sent");
          if (traces > 1) account_.qos1_repeats += traces - 1;
          break;
        case Qos::exactly_once:
          if (traces > 1) broken("QoS 2, and there twice");
          break;
      }
      const bool once = record.qos == Qos::exactly_once || (rule.keyed && at.rows == 1);
      if (once && traces == 1) account_.repeats_absorbed += record.sends - 1;
    }
  }

  // The devices' accounts add up to that of their rule, at any moment.
  void check_sums(const TableRule& rule) {
    const auto sums = [&](std::string_view table) {
      return database_.query(
          fmt::format("SELECT sum(received), sum(committed + dead_lettered) FROM "
                      "iothub.{} WHERE rule = '{}'",
                      table, rule.name))[0];
    };
    const auto devices = sums("device_account");
    const auto all = sums("ledger");
    if (devices != all) {
      violations_.push_back(fmt::format(
          "rule {}: its devices have {} received and {} stored or dead letters, it has {} and {}",
          rule.name, devices[0], devices[1], all[0], all[1]));
    }
  }

  // What is stored is no gap; what is not stored is one, or of those that were given up.
  void check_sequence(const TableRule& rule, const std::vector<Findings>& found) {
    std::uint64_t first = ~std::uint64_t{0};
    std::vector<std::vector<bool>> arrived(fleet_.size());
    for (std::size_t i = 0; i < fleet_.size(); ++i) {
      first = std::min(first, fleet_.device(i).first_number());
      arrived[i].resize(found[i].size());
    }
    std::vector<std::uint64_t> given_up(fleet_.size());
    for (const auto& row : database_.query(fmt::format(
             "SELECT device, given_up, lower(r), upper(r) FROM (SELECT device, given_up, "
             "unnest(seen "
             "* int8multirange(int8range({}, NULL))) AS r FROM iothub.device_seen WHERE rule = "
             "'{}') AS parts",
             first, rule.name))) {
      const std::size_t device = devices_.at(row[0]);
      given_up[device] = std::stoull(row[1]);
      const std::uint64_t own_first = fleet_.device(device).first_number();
      const std::uint64_t end =
          std::min<std::uint64_t>(std::stoull(row[3]), own_first + arrived[device].size());
      for (std::uint64_t n = std::max<std::uint64_t>(std::stoull(row[2]), own_first); n < end;
           ++n) {
        arrived[device][n - own_first] = true;
      }
    }
    for (std::size_t i = 0; i < fleet_.size(); ++i) {
      check_sequence(rule, i, found[i], arrived[i], given_up[i]);
    }
  }
  void check_sequence(const TableRule& rule, std::size_t device, const Findings& found,
                      const std::vector<bool>& arrived, std::uint64_t given_up) {
    const std::uint64_t first = fleet_.device(device).first_number();
    std::uint64_t not_listed = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const bool stored = found[i].rows > 0 || (found[i].dead_letters > 0 && has_number(first + i));
      if (stored && !arrived[i]) violation(rule.name, device, i, "stored, and a gap", found[i]);
      if (!stored && arrived[i]) ++not_listed;
    }
    if (not_listed > given_up) {
      violations_.push_back(fmt::format("rule {}, device {}: {} gaps are not listed, {} given up",
                                        rule.name, fleet_.profile(device).client_id, not_listed,
                                        given_up));
    }
  }

  void check_latest() {
    std::unordered_map<std::string, std::uint64_t> stored;
    for (const auto& row : database_.query("SELECT device, n FROM latest")) {
      stored.emplace(row[0], std::stoull(row[1]));
    }
    for (std::size_t device = 0; device < fleet_.size(); ++device) {
      const std::uint64_t first = fleet_.device(device).first_number();
      for (std::size_t i = records(device).size(); i-- > 0;) {
        if (!records(device)[i].acknowledged || !sets_latest(fleet_.profile(device), first + i)) {
          continue;
        }
        // A message of QoS 0 after it may have set the row, too.
        if (stored[fleet_.profile(device).client_id] < first + i) {
          violation("latest", device, i,
                    fmt::format("the last one, but the table has message {}",
                                stored[fleet_.profile(device).client_id]),
                    {});
        }
        break;
      }
    }
  }

  SqlConnection& database_;
  const Fleet& fleet_;
  std::vector<std::string>& violations_;
  std::unordered_map<std::string, std::size_t> devices_;
  Account account_;
};

}  // namespace

Account& Account::operator+=(const Account& other) {
  messages += other.messages;
  acknowledged += other.acknowledged;
  resends += other.resends;
  rows += other.rows;
  dead_letters += other.dead_letters;
  qos0_lost += other.qos0_lost;
  qos1_repeats += other.qos1_repeats;
  repeats_absorbed += other.repeats_absorbed;
  return *this;
}

Account audit(SqlConnection& database, const Fleet& fleet, std::vector<std::string>& violations) {
  // At one moment: messages of QoS 0 may still be on their way.
  database.query("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
  const Account account = Auditor{database, fleet, violations}.run();
  database.query("COMMIT");
  return account;
}

}  // namespace hub::test
