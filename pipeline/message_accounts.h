#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/device_accounts.h"
#include "pipeline/device_journal.h"
#include "rules/rule_set.h"
#include "storage/batch_writer.h"
#include "storage/ledger.h"

namespace hub {

// How a message ended for a rule, as far as the shard can tell: `stored` is given to storage, which
// has the last word. docs/ledger.md defines each.
enum class Ending : std::uint8_t {
  stored,
  filtered,
  dead_lettered,
  nothing_to_store,
  shed_storage_full,
};

// A shard's accounts of messages, which `iothub ledger` shows: counts for each rule what comes in
// and how it ends, and gives the counts to the batches that they belong to. Each message is counted
// twice, when a rule gets it and when the rule's last word on it is said, so that a message which
// gets lost in between shows.
class MessageAccounts {
 public:
  // Devices of which a shard remembers counts; with one rule about 200 bytes each.
  static constexpr std::size_t kMaxDevices = 100'000;
  // So many devices are booked by one batch, so that it is not held up.
  static constexpr std::size_t kDevicesPerBatch = 1'000;
  // So many that wait to be booked are booked before their time.
  static constexpr std::size_t kManyDirty = 20'000;
  // What has been booked is removed from the journal with every so many batches, twice as many
  // entries at most. That batch takes some milliseconds longer: seldom enough to spare p99 most of
  // it, and not so much that it shows as a pause.
  static constexpr std::int64_t kForgetEvery = 4'096;

  explicit MessageAccounts(const rules::RuleSet& rules, std::size_t max_devices = kMaxDevices);

  // From the next message on, plans are of these rules. A rule whose name stays goes on with its
  // account. That of a rule which has gone is kept, as some of it may not be booked: until a later
  // call finds all of it booked. When it throws, plans are of the rules before.
  // Cost: looks at each device that waits to be booked.
  void use(const rules::RuleSet& rules);

  // Says whose messages the calls below are about.
  void begin_message(std::string_view client_id) { device_ = &devices_.find(client_id); }
  void received(const rules::RulePlan& rule) {
    Account& account = *in_use_[rule.index()];
    ++account.taken.received;
    ++device_->fresh(account.place).counts.received;
  }
  void ended(const rules::RulePlan& rule, Ending ending) {
    Account& account = *in_use_[rule.index()];
    count(account.taken, ending);
    count(device_->fresh(account.place).counts, ending);
  }
  void seen(const rules::RulePlan& rule, std::int64_t number) {
    device_->fresh(in_use_[rule.index()]->place).seen.add(number);
  }

  // From storage, as CommitListener has it.
  void on_rows(const storage::RowTarget& target, const storage::RowOutcome& outcome);
  void on_booked(std::string_view rule, const storage::LedgerCounts& counts);
  void on_refused(const storage::RowTarget& target, const MessageView& message);

  // A batch is closing: gives it what belongs to it; and books some of the devices if their time
  // has come.
  void book(storage::BatchWriter& writer);

  // Something waits for a batch of its own: a device, or the number of keyed rows.
  [[nodiscard]] bool dirty() const noexcept { return rows_dirty_ || !devices_.clean(); }
  [[nodiscard]] bool many_dirty() const noexcept { return devices_.waiting() >= kManyDirty; }
  // The next batch begins to book what is dirty; batches are to be asked for until booked_up().
  void begin_booking() noexcept { booking_due_ = true; }
  [[nodiscard]] bool booked_up() const noexcept {
    return devices_.round_done() && !rows_dirty_ && !booking_due_;
  }

  struct RuleAccount {
    std::string rule;
    storage::LedgerCounts taken;   // since the start; committed: all that was given to storage
    storage::LedgerCounts booked;  // of those, durable; each as it ended
    storage::LedgerRows rows;      // durable

    // Messages that are given to storage, as rows or as dead letters, and not yet durable.
    [[nodiscard]] std::int64_t pending() const noexcept {
      return taken.committed + taken.dead_lettered - booked.committed - booked.dead_lettered;
    }
    // What the ledger in the database will show once all that is pending is durable, beyond what
    // it shows now; without what is pending.
    [[nodiscard]] storage::LedgerCounts unbooked() const noexcept;
    RuleAccount& operator+=(const RuleAccount& other) noexcept;
  };
  // Of the rules in use, by RulePlan::index(); then of those that are kept.
  [[nodiscard]] std::vector<RuleAccount> accounts() const;

 private:
  struct Account {
    explicit Account(std::size_t at) : place(at) {}
    std::size_t place;  // in accounts_, and the number by which devices know it
    bool kept = true;   // otherwise it is nobody's, and to be used again
    std::string rule;
    // Its devices' numbers are in the journal until they are booked. Stays when a later version of
    // the rule names no sequence: what is in the journal already is to be taken away from it.
    bool journalled = false;
    storage::LedgerCounts taken;
    storage::LedgerCounts given;  // of `taken`, to batches
    storage::LedgerCounts booked;
    storage::LedgerRows rows;        // told by storage
    storage::LedgerRows keyed_rows;  // of these, not yet given to a batch
  };
  static void count(storage::LedgerCounts& counts, Ending ending) {
    switch (ending) {
      case Ending::stored:
        ++counts.committed;
        break;
      case Ending::filtered:
        ++counts.filtered;
        break;
      case Ending::dead_lettered:
        ++counts.dead_lettered;
        break;
      case Ending::nothing_to_store:
        ++counts.nothing_to_store;
        break;
      case Ending::shed_storage_full:
        ++counts.shed_storage_full;
        break;
    }
  }
  Account* find(std::string_view rule);
  [[nodiscard]] RuleAccount report(const Account& account) const {
    return {account.rule, account.taken, account.booked, account.rows};
  }
  [[nodiscard]] bool in_use(const Account& account) const;
  void drop_booked();
  Account& open_account(const rules::RulePlan& rule);
  void book_rules(storage::BatchWriter& writer);
  void book_devices(storage::BatchWriter& writer);

  std::deque<Account> accounts_;  // each stays where it is
  std::vector<Account*> in_use_;  // by RulePlan::index()
  DeviceAccounts devices_;
  DeviceAccounts::Device* device_ = nullptr;
  bool rows_dirty_ = false;
  bool booking_due_ = false;
  bool journals_ = false;  // an account is journalled, or was

  DeviceJournal journal_;            // scratch
  std::int64_t batches_ = 0;         // with something of the devices
  std::int64_t round_began_ = 0;     // with this one of them
  std::int64_t booked_through_ = 0;  // as far as the journal has been booked
  std::int64_t forgotten_through_ = 0;
};

}  // namespace hub
