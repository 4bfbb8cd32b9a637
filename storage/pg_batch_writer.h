#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "storage/batch_writer.h"
#include "storage/connector.h"
#include "storage/writer_counters.h"

namespace boost::asio {
class io_context;
}

namespace hub::storage {

class Spool;

struct PgWriterOptions {
  // Names this writer among all writers of one database, for ever: the hub's id, made anew at each
  // start (a UUID as text), and the shard's number.
  std::string hub_id;
  unsigned shard = 0;

  BatchLimits limits;

  // Batches of at most so many rows are inserted by prepared statements where the link allows it
  // (see PgLink::direct); larger ones by COPY. Measured: docs/performance.md.
  std::size_t few_rows = 300;

  // How long a batch may go without any byte from the database before the link is given up and the
  // batch's fate is looked up on a new one. Doubles with every such failure in a row, up to
  // tenfold.
  std::chrono::milliseconds answer_timeout{30'000};

  // Pauses between attempts: the first, doubling up to the last, each shortened at random by up to
  // a half.
  std::chrono::milliseconds first_pause{50};
  std::chrono::milliseconds last_pause{10'000};

  // Where batches go, to be acknowledged from there, when the database has committed none for that
  // long although one waits; and where those go that come while others are there. Null: they wait.
  Spool* spool = nullptr;
  std::chrono::milliseconds spool_after{2'000};
};

// The BatchWriter on a non-blocking libpq connection inside the shard's io_context.
//
// One batch is one transaction, written by binary COPY (rows with a key: by one set-based INSERT),
// with a mark in iothub.writer that commits with it. After a broken link that mark tells whether
// the batch committed, so nothing is sent twice. storage/README.md has the whole story: batches,
// bad rows, faults, retries.
//
// Made, used and destroyed on the shard's thread. `io`, `connector`, `listener` and the spool
// outlive it. Connects by itself, at once; until then batches are held. Destruction drops what has
// not committed.
class PgBatchWriter final : public BatchWriter {
 public:
  PgBatchWriter(boost::asio::io_context& io, Connector& connector, PgWriterOptions options,
                CommitListener& listener);
  ~PgBatchWriter() override;

  [[nodiscard]] std::optional<std::string> append(const RowTargetPtr& target,
                                                  std::span<const Value> values,
                                                  const MessageView& message) override;
  void append_dead_letter(std::string_view rule, std::string_view action, std::string_view reason,
                          std::string_view detail, const MessageView& message) override;
  void acknowledge_after_commit(AckToken token) override;
  void make_durable(const DurableChange& change) override;
  void durable_change_waits() override;
  void add_to_ledger(std::string_view rule, const LedgerCounts& counts,
                     const LedgerRows& rows) override;
  void add_to_device_ledger(std::string_view rule, std::string_view device,
                            const LedgerCounts& counts) override;
  void add_to_sequence(std::string_view rule, std::string_view device, std::string_view seen,
                       std::int64_t given_up) override;
  void add_to_journal(JournalEntry entry) override;
  void mark_journal(const JournalMark& mark, const JournalRange& forgotten) override;
  void add_usage(std::string_view meter, std::int64_t half_kilobytes,
                 std::int64_t messages) override;
  void add_active_device(std::string_view meter, std::int32_t day,
                         std::string_view device) override;
  void ledger_changed() override;
  void end_of_turn() override;
  [[nodiscard]] bool congested() const noexcept override;
  [[nodiscard]] std::size_t held_bytes() const noexcept override;
  [[nodiscard]] bool idle() const noexcept override;

  // The mark (iothub.writer.batch) of the last batch whose account the listener has been told.
  [[nodiscard]] std::uint64_t last_booked() const noexcept;

  // What is in the spool and not in the database, without what is just being appended. idle() does
  // not wait for it. What an earlier writer of the same name has left is drained, too.
  [[nodiscard]] Spooled spooled() const noexcept;

  [[nodiscard]] const WriterCounters& counters() const noexcept;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // also held by its running coroutine
};

}  // namespace hub::storage
