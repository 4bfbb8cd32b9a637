#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/message.h"
#include "storage/batch_writer.h"
#include "storage/ledger.h"

namespace hub::storage {

// One row of iothub.dead_letter.
struct DeadLetter {
  std::int64_t id = 0;
  MessageId message_id;
  Timestamp received_at;
  std::string received_at_text;  // as PostgreSQL prints it
  std::string rule;
  std::string action;
  std::string reason;
  std::string detail;
  std::string sqlstate;  // empty when it never got as far as the database
  std::string topic;
  std::string client_id;
  std::string username;
  Qos qos = Qos::at_most_once;
  bool retain = false;
  std::string payload;
  std::int64_t attempts = 0;

  // The message that it was. Borrows from this, and from `padded`, which is set to the payload and
  // the bytes that must follow it.
  [[nodiscard]] MessageView message(std::string& padded) const;
};

// Which dead letters are meant: those for which everything that is given holds.
struct DeadLetterFilter {
  std::vector<std::int64_t> ids;
  std::optional<std::string> rule;
  std::optional<std::string> reason;
  std::optional<std::string> client_id;
  std::optional<std::string> since;  // as PostgreSQL reads a timestamptz, or an interval from now
  std::optional<std::string> until;
  std::optional<std::uint64_t> limit;  // the oldest first
};

// The dead letters of a database, to be read, dropped and replayed beside the hub's writers.
// Blocking; one connection. Each call throws std::runtime_error when the database fails or does not
// understand a time, which is_time() tells before.
class DeadLetterStore {
 public:
  explicit DeadLetterStore(const std::string& url);
  ~DeadLetterStore();

  // Whether PostgreSQL reads that as DeadLetterFilter::since.
  [[nodiscard]] bool is_time(const std::string& text);

  [[nodiscard]] std::vector<DeadLetter> list(const DeadLetterFilter& filter);
  // Returns how many are gone.
  std::uint64_t drop(const DeadLetterFilter& filter);

  // Replaying goes by pieces: take(), then settle() or keep() for each of them, then commit().
  // Until then nothing has happened; a piece that another replay has taken is passed over.

  // The next so many of the filter whose ids are above `after`, locked.
  [[nodiscard]] std::vector<DeadLetter> take(const DeadLetterFilter& filter, std::int64_t after,
                                             std::size_t count);

  struct Row {
    RowTargetPtr target;
    std::string bytes;  // in COPY's form, as RowEncoder makes it
  };
  // Writes the rows, deletes the dead letter and moves its message in the ledger to where it has
  // ended now. If the database refuses a row, nothing of it happens, and it says why.
  [[nodiscard]] std::optional<DatabaseFault> settle(const DeadLetter& letter,
                                                    const std::vector<Row>& rows,
                                                    std::int64_t LedgerCounts::* ending);
  // It failed again: keeps it with the new reason, and one attempt more.
  void keep(const DeadLetter& letter, std::string_view reason, std::string_view detail,
            std::string_view sqlstate);
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hub::storage
