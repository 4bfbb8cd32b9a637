#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/batch_writer.h"

namespace hub::test {

// Keeps what it is given, and commits nothing. What is added to a batch that closes is that of the
// last call of each kind.
class RecordingWriter final : public storage::BatchWriter {
 public:
  std::map<std::string, int, std::less<>> rows_of;  // by table
  std::vector<std::string> dead_letters;            // "<rule> / <action> / <reason>"
  std::vector<AckToken> tokens;
  int asked_for = 0;                   // batches
  int turns_ended = 0;                 //
  bool full = false;                   // congested()
  std::optional<std::string> problem;  // what append() returns

  std::map<std::string, storage::LedgerCounts> rules;
  std::map<std::string, storage::LedgerRows> rows;
  std::map<std::string, storage::LedgerCounts> devices;  // "<device>/<rule>"
  std::map<std::string, std::string> seen;
  std::string added;   // to the journal
  std::string booked;  // of it
  storage::JournalMark mark;
  storage::JournalRange forgotten;
  std::vector<std::string> usage;           // "<meter>: <messages> of <units>"
  std::vector<std::string> active_devices;  // "<meter>: <device> on <day>"

  std::optional<std::string> append(const storage::RowTargetPtr& target, std::span<const Value>,
                                    const MessageView&) override {
    if (problem) return problem;
    const auto found = rows_of.find(target->table);
    ++(found != rows_of.end() ? found->second : rows_of[target->table]);
    return {};
  }
  void append_dead_letter(std::string_view rule, std::string_view action, std::string_view reason,
                          std::string_view, const MessageView&) override {
    dead_letters.push_back(fmt::format("{} / {} / {}", rule, action, reason));
  }
  void acknowledge_after_commit(AckToken token) override { tokens.push_back(token); }
  void make_durable(const DurableChange&) override {}
  void durable_change_waits() override {}

  void add_to_ledger(std::string_view rule, const storage::LedgerCounts& counts,
                     const storage::LedgerRows& its_rows) override {
    rules[std::string(rule)] = counts;
    rows[std::string(rule)] = its_rows;
  }
  void add_to_device_ledger(std::string_view rule, std::string_view device,
                            const storage::LedgerCounts& counts) override {
    devices[fmt::format("{}/{}", device, rule)] = counts;
  }
  void add_to_sequence(std::string_view rule, std::string_view device, std::string_view numbers,
                       std::int64_t) override {
    seen[fmt::format("{}/{}", device, rule)] = numbers;
  }
  void add_to_journal(storage::JournalEntry entry) override {
    (entry.booked ? booked : added) = std::move(entry.lines);
  }
  void mark_journal(const storage::JournalMark& to, const storage::JournalRange& gone) override {
    mark = to;
    forgotten = gone;
  }
  void add_usage(std::string_view meter, std::int64_t half_kilobytes,
                 std::int64_t messages) override {
    usage.push_back(fmt::format("{}: {} of {}", meter, messages, half_kilobytes));
  }
  void add_active_device(std::string_view meter, std::int32_t day,
                         std::string_view device) override {
    active_devices.push_back(fmt::format("{}: {} on {}", meter, device, day));
  }
  void ledger_changed() override { ++asked_for; }
  void end_of_turn() override { ++turns_ended; }
  [[nodiscard]] bool congested() const noexcept override { return full; }
  [[nodiscard]] std::size_t held_bytes() const noexcept override { return 0; }
  [[nodiscard]] bool idle() const noexcept override { return true; }
};

}  // namespace hub::test
