#include "pipeline/message_accounts.h"

#include <algorithm>

namespace hub {

MessageAccounts::MessageAccounts(const rules::RuleSet& rules, std::size_t max_devices)
    : devices_(max_devices) {
  rules_.resize(rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    rules_[i].name = rules.plan(i).name();
    rules_[i].journalled = rules.plan(i).sequence().has_value();
    journals_ = journals_ || rules_[i].journalled;
  }
}

storage::LedgerCounts MessageAccounts::RuleAccount::unbooked() const noexcept {
  storage::LedgerCounts out = taken;
  out -= booked;
  out.committed = 0;
  out.dead_lettered = 0;
  return out;
}

MessageAccounts::RuleAccount& MessageAccounts::RuleAccount::operator+=(
    const RuleAccount& other) noexcept {
  taken += other.taken;
  booked += other.booked;
  rows.rows += other.rows.rows;
  rows.duplicates += other.rows.duplicates;
  return *this;
}

MessageAccounts::Rule* MessageAccounts::find(std::string_view name) {
  const auto found = std::find_if(rules_.begin(), rules_.end(),
                                  [name](const Rule& rule) { return rule.name == name; });
  return found == rules_.end() ? nullptr : &*found;
}

void MessageAccounts::on_rows(const storage::RowTarget& target,
                              const storage::RowOutcome& outcome) {
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

void MessageAccounts::on_booked(std::string_view name, const storage::LedgerCounts& counts) {
  if (Rule* const rule = find(name)) rule->booked += counts;
}

void MessageAccounts::on_refused(const storage::RowTarget& target, const MessageView& message) {
  const Rule* const rule = find(target.rule);
  if (rule == nullptr) return;
  const auto index = static_cast<std::size_t>(rule - rules_.data());
  storage::LedgerCounts& counts = devices_.find(message.client_id).fresh(index).counts;
  --counts.committed;
  ++counts.dead_lettered;
}

void MessageAccounts::book(storage::BatchWriter& writer) {
  book_rules(writer);
  if (devices_.clean()) {
    booking_due_ = false;
    return;
  }
  book_devices(writer);
}

void MessageAccounts::book_rules(storage::BatchWriter& writer) {
  for (Rule& rule : rules_) {
    storage::LedgerCounts counts = rule.taken;
    counts -= rule.given;
    if (counts == storage::LedgerCounts{} && rule.keyed_rows == storage::LedgerRows{}) continue;
    writer.add_to_ledger(rule.name, counts, rule.keyed_rows);
    rule.given = rule.taken;
    rule.keyed_rows = {};
  }
  rows_dirty_ = false;
}

// At every instant what the database has of a device is what has been booked, and what the journal
// says.
void MessageAccounts::book_devices(storage::BatchWriter& writer) {
  const bool begins = booking_due_ && devices_.round_done();
  const bool at_once = begins && devices_.waiting() <= kDevicesPerBatch;
  const std::int64_t number = ++batches_;
  const auto name_of = [this](std::size_t rule) -> std::string_view { return rules_[rule].name; };

  if (journals_ || begins) {
    devices_.journal(
        [&](const std::string& device, std::size_t rule, const DeviceNumbers& numbers) {
          if (rules_[rule].journalled && !at_once) journal_.add(rule, device, numbers);
        });
  }
  if (auto lines = journal_.take(name_of); !lines.empty()) {
    writer.add_to_journal({number, false, std::move(lines)});
  }
  if (begins) {
    booking_due_ = false;
    round_began_ = number;
    devices_.begin_round();
  }

  storage::JournalMark mark;
  if (!devices_.round_done()) {
    const std::size_t lines = at_once ? ~std::size_t{0} : kDevicesPerBatch;
    devices_.take(lines,
                  [&](const std::string& device, std::size_t rule, const DeviceNumbers& numbers) {
                    if (numbers.counts != storage::LedgerCounts{}) {
                      writer.add_to_device_ledger(name_of(rule), device, numbers.counts);
                      if (rules_[rule].journalled && !at_once) {
                        journal_.take_away(rule, device, numbers.counts);
                      }
                    }
                    if (!numbers.seen.empty()) {
                      writer.add_to_sequence(name_of(rule), device, numbers.seen.to_string(),
                                             numbers.seen.given_up());
                    }
                  });
    auto booked = journal_.take(name_of);
    if (devices_.round_done()) {
      booked_through_ = round_began_;
      if (journals_) mark = {round_began_, number};
    } else if (!booked.empty()) {
      writer.add_to_journal({number, true, std::move(booked)});
    }
  }

  storage::JournalRange forgotten;
  if (journals_ && number % kForgetEvery == 0) {
    forgotten = {forgotten_through_,
                 std::min(booked_through_, forgotten_through_ + 2 * kForgetEvery)};
    forgotten_through_ = forgotten.through;
  }
  if (mark.added_through > 0 || !forgotten.empty()) writer.mark_journal(mark, forgotten);
}

std::vector<MessageAccounts::RuleAccount> MessageAccounts::accounts() const {
  std::vector<RuleAccount> out;
  for (const Rule& rule : rules_) out.push_back({rule.name, rule.taken, rule.booked, rule.rows});
  return out;
}

}  // namespace hub
