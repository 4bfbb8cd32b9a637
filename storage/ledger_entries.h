#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/message.h"
#include "storage/ledger.h"

namespace hub::storage {

// What a batch adds to the ledger.
struct LedgerEntries {
  struct Rule {
    std::string rule;
    LedgerCounts counts;
    LedgerRows rows;

    // What the attempt that is under way, or has committed, writes: `counts` and `rows`, and what
    // became of this batch's own rows.
    LedgerCounts booked;
    LedgerRows booked_rows;
  };
  struct Device {
    std::string rule;
    std::string device;
    LedgerCounts counts;
    LedgerCounts booked{};  // as of a Rule
  };
  struct Sequence {
    std::string rule;
    std::string device;
    std::string seen;  // as PostgreSQL writes an int8multirange
    std::int64_t given_up;
  };
  // Of the usage that is billed: messages of one size, and a device of one day (since 1970).
  struct Usage {
    std::int64_t half_kilobytes;
    std::int64_t messages;
  };
  struct ActiveDevice {
    std::int64_t day;
    std::string device;
  };
  std::vector<Rule> rules;
  std::vector<Device> devices;
  std::vector<Sequence> sequences;
  std::vector<JournalEntry> journal;
  JournalMark journal_mark;
  JournalRange journal_forgotten;
  std::string meter;       // whose usage
  std::int64_t shard = 0;  // where it was counted
  std::vector<Usage> usage;
  std::vector<ActiveDevice> active_devices;

  [[nodiscard]] bool empty() const noexcept {
    return rules.empty() && devices.empty() && sequences.empty() && journal.empty() &&
           journal_mark.added_through == 0 && journal_forgotten.empty() && usage.empty() &&
           active_devices.empty();
  }
  void clear() noexcept {
    rules.clear();
    devices.clear();
    sequences.clear();
    journal.clear();
    journal_mark = {};
    journal_forgotten = {};
    usage.clear();
    active_devices.clear();
  }
};

// One message for one rule. Two rules whose names have one hash are as good as impossible within
// the dead letters of one batch.
struct Receipt {
  MessageId message;
  std::uint64_t rule_hash = 0;

  Receipt() = default;
  Receipt(std::string_view rule, const MessageId& id);
  friend bool operator==(const Receipt&, const Receipt&) = default;
  friend auto operator<=>(const Receipt& a, const Receipt& b) noexcept {
    if (const auto order = a.message.high <=> b.message.high; order != 0) return order;
    if (const auto order = a.message.low <=> b.message.low; order != 0) return order;
    return a.rule_hash <=> b.rule_hash;
  }
};

}  // namespace hub::storage
