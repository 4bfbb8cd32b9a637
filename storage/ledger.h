#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hub::storage {

// What became of messages, as the tables iothub.ledger and iothub.device_ledger count it. Each name
// is a column's. docs/ledger.md defines them.
#define HUB_LEDGER_COUNTS(X) \
  X(received)                \
  X(committed)               \
  X(filtered)                \
  X(dead_lettered)           \
  X(nothing_to_store)        \
  X(shed_storage_full)

// Numbers of messages. As a difference they may be negative: a message that was taken for committed
// proves to be a dead letter.
struct LedgerCounts {
#define HUB_COUNT(name) std::int64_t name = 0;
  HUB_LEDGER_COUNTS(HUB_COUNT)
#undef HUB_COUNT

  LedgerCounts& operator+=(const LedgerCounts& other) noexcept {
#define HUB_COUNT(name) name += other.name;
    HUB_LEDGER_COUNTS(HUB_COUNT)
#undef HUB_COUNT
    return *this;
  }
  LedgerCounts& operator-=(const LedgerCounts& other) noexcept {
#define HUB_COUNT(name) name -= other.name;
    HUB_LEDGER_COUNTS(HUB_COUNT)
#undef HUB_COUNT
    return *this;
  }

  // Calls f(name, value) for each, in the order above.
  template <class F>
  void for_each(F f) const {
#define HUB_COUNT(name) f(std::string_view(#name), name);
    HUB_LEDGER_COUNTS(HUB_COUNT)
#undef HUB_COUNT
  }

  // Of all messages that ended, however they ended.
  [[nodiscard]] std::int64_t accounted() const noexcept {
    return committed + filtered + dead_lettered + nothing_to_store + shed_storage_full;
  }
  [[nodiscard]] bool balanced() const noexcept { return received == accounted(); }

  friend bool operator==(const LedgerCounts&, const LedgerCounts&) = default;
};

// The rows of a rule: messages of a rule with several dump actions have several.
struct LedgerRows {
  std::int64_t rows = 0;        // new ones
  std::int64_t duplicates = 0;  // absorbed: their key was there

  friend bool operator==(const LedgerRows&, const LedgerRows&) = default;
};

// What a batch adds to the devices' numbers before they are booked, or takes away as it books them:
// a row of iothub.device_journal, where sql/ says what its lines are.
struct JournalEntry {
  std::int64_t number = 0;  // above those of the writer's earlier batches
  bool booked = false;
  std::string lines;
};

// Entries of a writer that count no more: up to these numbers, by JournalEntry::booked.
struct JournalMark {
  std::int64_t added_through = 0;  // 0: no mark
  std::int64_t booked_through = 0;
};

// Entries that are removed: after the first number, up to the second.
struct JournalRange {
  std::int64_t after = 0;
  std::int64_t through = 0;

  [[nodiscard]] bool empty() const noexcept { return through <= after; }
};

}  // namespace hub::storage
