#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/message.h"
#include "storage/batch_writer.h"
#include "storage/byte_buffer.h"
#include "storage/ledger_entries.h"
#include "storage/session_changes.h"
#include "storage/spool_store.h"
#include "storage/target_plan.h"

namespace hub::storage {

// The original messages of a batch's rows, each once.
class KeptMessages {
 public:
  // Returns the message's number. A message that was also the last one kept keeps its number.
  std::uint32_t keep(const MessageView& message);
  [[nodiscard]] MessageView view(std::uint32_t number) const;
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_.size(); }
  [[nodiscard]] std::size_t count() const noexcept { return starts_.size(); }
  void clear() noexcept;

  // All of them, for add_all(): in this program's own form.
  [[nodiscard]] std::string_view all() const noexcept { return bytes_.view(); }
  // How many that are; 0 when they are malformed.
  [[nodiscard]] static std::size_t count_all(std::string_view messages);
  // Keeps them behind those that are there. False, and keeps nothing, when they are malformed.
  [[nodiscard]] bool add_all(std::string_view messages);

 private:
  ByteBuffer bytes_;
  std::vector<std::size_t> starts_;
};

// The rows of one target.
struct TargetRows {
  TargetPlan* plan = nullptr;
  ByteBuffer rows;                      // in COPY's form
  std::vector<std::uint32_t> messages;  // of each row, in KeptMessages

  // What became of them in the attempt that is under way or has committed.
  RowOutcome outcome;
  DatabaseFault fault;  // of the whole table, if it had one

  [[nodiscard]] std::size_t count() const noexcept { return messages.size(); }
};

// Rows for iothub.dead_letter, in COPY's form.
class DeadLetters {
 public:
  static constexpr std::string_view kCopySql =
      "COPY iothub.dead_letter (message_id, received_at, rule, action, reason, detail, sqlstate, "
      "topic, client_id, username, qos, retain, payload, attempts) FROM STDIN (FORMAT binary)";
  static constexpr std::int16_t kFields = 14;

  struct Cause {
    std::string_view rule;
    std::string_view action;
    std::string_view reason;
    std::string_view detail;  // cut after 2,000 bytes
    std::string_view sqlstate;
  };

  void add(const Cause& cause, const MessageView& message, std::uint32_t attempts);
  void add_rows(std::string_view rows, std::size_t count) {
    rows_.append(rows);
    count_ += count;
  }
  [[nodiscard]] const ByteBuffer& rows() const noexcept { return rows_; }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  void clear() noexcept;

 private:
  ByteBuffer rows_;
  std::size_t count_ = 0;
};

// A message of which the database refused a row, once for each rule.
struct RefusedMessage {
  const RowTarget* target;
  std::uint32_t message;        // in KeptMessages
  bool device_settled = false;  // its device is booked with this batch, and as what it is
};

// What one transaction writes, and the acknowledgements that wait for it. Reused: clear() keeps the
// buffers.
struct Batch {
  std::uint64_t serial = 0;  // differs for every use of every batch of a writer
  KeptMessages messages;
  DeadLetters dead_letters;
  SessionChanges session_changes;
  LedgerEntries ledger;
  bool wanted = false;                  // to be sent although it may have no row
  std::vector<Receipt> failed_by_rule;  // of `dead_letters`
  std::vector<AckToken> tokens;
  std::size_t held_bytes = 0;
  std::optional<Spooled> spooled;  // it is in the spool as well, and acknowledged

  // How it fared so far.
  std::uint64_t number = 0;                      // its mark in iothub.writer, of the last attempt
  bool number_is_final = false;                  // as the spool has it by that number
  std::uint32_t attempts = 0;                    // transactions begun
  bool search_rows = false;                      // look for the row that is to blame
  std::uint32_t lone_failures = 0;               // of a suspect row, alone
  DeadLetters refused;                           // rows that this attempt found to be bad
  std::vector<RefusedMessage> refused_messages;  // theirs that were no dead letter before
  std::uint64_t refused_rows = 0;                // of `refused`, by themselves
  std::uint64_t unusable_rows = 0;               // of `refused`, with their whole table

  [[nodiscard]] std::span<TargetRows> targets() noexcept { return {targets_.data(), used_}; }
  [[nodiscard]] std::span<const TargetRows> targets() const noexcept {
    return {targets_.data(), used_};
  }
  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::size_t row_bytes() const noexcept { return row_bytes_; }

  // The rows of this target, none at first.
  TargetRows& rows_of(TargetPlan& plan);
  void rows_added(std::size_t rows, std::size_t bytes) noexcept {
    rows_ += rows;
    row_bytes_ += bytes;
  }

  // True when there is nothing to write, nor may be.
  [[nodiscard]] bool empty() const noexcept {
    return rows_ == 0 && dead_letters.count() == 0 && !wanted;
  }
  // True when a transaction would write nothing.
  [[nodiscard]] bool nothing_to_write() const noexcept {
    return rows_ == 0 && dead_letters.count() == 0 && session_changes.empty() && ledger.empty();
  }
  // Keeps the message among the refused ones, unless it is a dead letter of the rule already.
  void note_refused(const RowTarget& target, std::uint32_t message);
  void forget_refused();
  void clear(std::uint64_t new_serial);

 private:
  std::set<Receipt> refused_receipts_;
  std::vector<TargetRows> targets_;  // the first used_ of them
  std::size_t used_ = 0;
  std::size_t rows_ = 0;
  std::size_t row_bytes_ = 0;
};

}  // namespace hub::storage
