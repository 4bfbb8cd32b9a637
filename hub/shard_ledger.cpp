#include "hub/shard_ledger.h"

#include <algorithm>

namespace hub {

ShardLedger::ShardLedger(const rules::RuleSet& rules, std::size_t max_devices)
    : devices_(max_devices) {
  rules_.resize(rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i) rules_[i].name = rules.plan(i).name();
}

storage::LedgerCounts ShardLedger::RuleAccount::unbooked() const noexcept {
  storage::LedgerCounts out = taken;
  out -= booked;
  out.committed = 0;
  out.dead_lettered = 0;
  return out;
}

ShardLedger::RuleAccount& ShardLedger::RuleAccount::operator+=(const RuleAccount& other) noexcept {
  taken += other.taken;
  booked += other.booked;
  rows.rows += other.rows.rows;
  rows.duplicates += other.rows.duplicates;
  return *this;
}

ShardLedger::Rule* ShardLedger::find(std::string_view name) {
  const auto found = std::find_if(rules_.begin(), rules_.end(),
                                  [name](const Rule& rule) { return rule.name == name; });
  return found == rules_.end() ? nullptr : &*found;
}

void ShardLedger::on_rows(const storage::RowTarget& target, const storage::RowOutcome& outcome) {
  Rule* const rule = find(target.rule);
  if (rule == nullptr) return;
  const storage::LedgerRows rows{static_cast<std::int64_t>(outcome.committed),
                                 static_cast<std::int64_t>(outcome.duplicates)};
  rule->rows.rows += rows.rows;
  rule->rows.duplicates += rows.duplicates;
  if (target.key.empty()) return;  // booked with the batch itself
  rule->keyed_rows.rows += rows.rows;
  rule->keyed_rows.duplicates += rows.duplicates;
  rows_dirty_ = true;
}

void ShardLedger::on_booked(std::string_view name, const storage::LedgerCounts& counts) {
  if (Rule* const rule = find(name)) rule->booked += counts;
}

void ShardLedger::on_refused(const storage::RowTarget& target, const MessageView& message) {
  const Rule* const rule = find(target.rule);
  if (rule == nullptr) return;
  const auto index = static_cast<std::size_t>(rule - rules_.data());
  storage::LedgerCounts& counts = devices_.find(message.client_id).line(index).counts;
  --counts.committed;
  ++counts.dead_lettered;
}

void ShardLedger::begin_booking() { devices_.begin_round(); }

void ShardLedger::book(storage::BatchWriter& writer) {
  for (Rule& rule : rules_) {
    storage::LedgerCounts counts = rule.taken;
    counts -= rule.given;
    if (counts == storage::LedgerCounts{} && rule.keyed_rows == storage::LedgerRows{}) continue;
    writer.add_to_ledger(rule.name, counts, rule.keyed_rows);
    rule.given = rule.taken;
    rule.keyed_rows = {};
  }
  rows_dirty_ = false;
  if (devices_.round_done()) return;
  devices_.take(kDevicesPerBatch, [&](const std::string& device, const DeviceLedger::Line& line) {
    const std::string& rule = rules_[line.rule].name;
    if (line.counts != storage::LedgerCounts{}) {
      writer.add_to_device_ledger(rule, device, line.counts);
    }
    if (!line.seen.empty()) {
      writer.add_to_sequence(rule, device, line.seen.to_string(), line.seen.given_up());
    }
  });
}

std::vector<ShardLedger::RuleAccount> ShardLedger::accounts() const {
  std::vector<RuleAccount> out;
  for (const Rule& rule : rules_) out.push_back({rule.name, rule.taken, rule.booked, rule.rows});
  return out;
}

}  // namespace hub
