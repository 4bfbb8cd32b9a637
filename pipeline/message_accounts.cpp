#include "pipeline/message_accounts.h"

#include <algorithm>
#include <utility>

namespace hub {

MessageAccounts::MessageAccounts(const rules::RuleSet& rules, std::size_t max_devices)
    : devices_(max_devices) {
  use(rules);
}

void MessageAccounts::use(const rules::RuleSet& rules) {
  drop_booked();
  std::vector<Account*> in_use;
  for (std::size_t i = 0; i < rules.size(); ++i) in_use.push_back(&open_account(rules.plan(i)));
  in_use_ = std::move(in_use);
}

bool MessageAccounts::in_use(const Account& account) const {
  return std::find(in_use_.begin(), in_use_.end(), &account) != in_use_.end();
}

// Accounts of rules that have gone, and of which nothing is under way.
void MessageAccounts::drop_booked() {
  for (Account& account : accounts_) {
    if (!account.kept || in_use(account)) continue;
    const RuleAccount reported = report(account);
    const bool booked_up =
        reported.pending() == 0 && reported.unbooked() == storage::LedgerCounts{} &&
        account.keyed_rows == storage::LedgerRows{} && !devices_.has(account.place);
    if (!booked_up) continue;
    account = Account(account.place);
    account.kept = false;
  }
}

// The account of the rule's name; a new one when there is none.
MessageAccounts::Account& MessageAccounts::open_account(const rules::RulePlan& rule) {
  Account* account = find(rule.name());
  if (account == nullptr) {
    const auto unused = std::find_if(accounts_.begin(), accounts_.end(),
                                     [](const Account& each) { return !each.kept; });
    account = unused != accounts_.end() ? &*unused : &accounts_.emplace_back(accounts_.size());
    account->rule = rule.name();
    account->kept = true;
  }
  if (rule.sequence() && !account->journalled) {
    // What waits to be booked was not journalled, and must not be taken away from the journal.
    devices_.make_fresh(account->place);
    account->journalled = true;
    journals_ = true;
  }
  return *account;
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

MessageAccounts::Account* MessageAccounts::find(std::string_view rule) {
  const auto found =
      std::find_if(accounts_.begin(), accounts_.end(),
                   [rule](const Account& account) { return account.kept && account.rule == rule; });
  return found == accounts_.end() ? nullptr : &*found;
}

void MessageAccounts::on_rows(const storage::RowTarget& target,
                              const storage::RowOutcome& outcome) {
  Account* const account = find(target.rule);
  if (account == nullptr) return;
  const storage::LedgerRows rows{static_cast<std::int64_t>(outcome.committed),
                                 static_cast<std::int64_t>(outcome.duplicates)};
  account->rows.rows += rows.rows;
  account->rows.duplicates += rows.duplicates;
  if (target.key.empty()) return;  // booked with the batch itself
  account->keyed_rows.rows += rows.rows;
  account->keyed_rows.duplicates += rows.duplicates;
  rows_dirty_ = true;
}

void MessageAccounts::on_booked(std::string_view rule, const storage::LedgerCounts& counts) {
  if (Account* const account = find(rule)) account->booked += counts;
}

void MessageAccounts::on_refused(const storage::RowTarget& target, const MessageView& message) {
  const Account* const account = find(target.rule);
  if (account == nullptr) return;
  storage::LedgerCounts& counts = devices_.find(message.client_id).fresh(account->place).counts;
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
  for (Account& account : accounts_) {
    storage::LedgerCounts counts = account.taken;
    counts -= account.given;
    if (counts == storage::LedgerCounts{} && account.keyed_rows == storage::LedgerRows{}) continue;
    writer.add_to_ledger(account.rule, counts, account.keyed_rows);
    account.given = account.taken;
    account.keyed_rows = {};
  }
  rows_dirty_ = false;
}

// At every instant what the database has of a device is what has been booked, and what the journal
// says.
void MessageAccounts::book_devices(storage::BatchWriter& writer) {
  const bool begins = booking_due_ && devices_.round_done();
  const bool at_once = begins && devices_.waiting() <= kDevicesPerBatch;
  const std::int64_t number = ++batches_;
  const auto name_of = [this](std::size_t place) -> std::string_view {
    return accounts_[place].rule;
  };

  if (journals_ || begins) {
    devices_.journal(
        [&](const std::string& device, std::size_t rule, const DeviceNumbers& numbers) {
          if (accounts_[rule].journalled && !at_once) journal_.add(rule, device, numbers);
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
                      if (accounts_[rule].journalled && !at_once) {
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
  for (const Account* account : in_use_) out.push_back(report(*account));
  for (const Account& account : accounts_) {
    if (account.kept && !in_use(account)) out.push_back(report(account));
  }
  return out;
}

}  // namespace hub
