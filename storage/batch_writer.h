#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/durable_change.h"
#include "base/message.h"
#include "base/table_schema.h"
#include "base/value.h"
#include "storage/ledger.h"
#include "storage/spool_store.h"

namespace hub::storage {

// What becomes of a row whose key the table already has.
enum class OnConflict : std::uint8_t {
  ignore,  // the stored row stays: the first one wins
  update,  // its other columns take the new values: the last one wins
};

// Where the rows of one dump action go: a table and the columns that the rows have, in order.
// Immutable once made, and shared by all shards.
struct RowTarget {
  std::string rule;    // for the dead-letter table and the counters
  std::string action;  // "dump climate"
  std::string schema;
  std::string table;
  std::vector<Column> columns;

  // Columns (by name, of `columns`) that make a row the same row; a unique index over exactly
  // these must exist. Empty: every row is a new one.
  std::vector<std::string> key;
  OnConflict on_conflict = OnConflict::ignore;  // read only when there is a key
};
using RowTargetPtr = std::shared_ptr<const RowTarget>;

// What became of the rows of one target in one transaction. Their sum is the rows appended.
struct RowOutcome {
  std::uint64_t committed = 0;     // a new row
  std::uint64_t duplicates = 0;    // absorbed: its key was there, in the table or in the batch
  std::uint64_t dead_letters = 0;  // refused by the database
};

// Why the database refused something, for a person.
struct DatabaseFault {
  std::string sqlstate;  // five characters; empty when the server did not speak
  std::string message;   // one sentence, with the server's DETAIL where it has one
};

// What the writer tells to, and asks from, its owner. All calls on the writer's thread. Each may
// call the writer.
class CommitListener {
 public:
  virtual ~CommitListener() = default;

  // The open batch takes no more rows: make_durable() is to be called now for each session that has
  // changed, add_to_ledger() for each rule that got messages, and counts for this batch. Comes
  // between two turns, or from end_of_turn(); so what a turn appends and the durable changes that
  // belong to it are in one transaction.
  virtual void on_batch_closing() = 0;

  // Everything that was appended before each token is durable. Tokens come in the order in which
  // they were given. Comes for every batch, with no token if it had none: held_bytes() has fallen
  // by then. This call and those below never come from inside a call on the writer.
  virtual void on_committed(std::span<const AckToken> tokens) = 0;

  // The account of a committed batch, once for each of its targets; before its tokens.
  virtual void on_rows(const RowTarget& /*target*/, const RowOutcome& /*outcome*/) {}

  // The account of a committed batch, once for each rule that add_to_ledger() named: what was
  // booked. on_refused() follows for each message of the batch that was given as committed and was
  // booked as a dead letter, unless add_to_device_ledger() named its rule and device, where it was
  // booked so as well; `message` is borrowed for the call.
  virtual void on_booked(std::string_view /*rule*/, const LedgerCounts& /*counts*/) {}
  virtual void on_refused(const RowTarget& /*target*/, const MessageView& /*message*/) {}

  // A table that cannot be written at all (dropped, a column gone, no permission): its rows become
  // dead letters from now on, until a batch is accepted again and on_target_usable() follows.
  virtual void on_target_fault(const RowTarget& /*target*/, const DatabaseFault& /*fault*/) {}
  virtual void on_target_usable(const RowTarget& /*target*/) {}

  // The database is away, or refuses whole batches for a passing reason: they are held. Called when
  // the reason changes; on_database_available() follows when a batch or a connection succeeds.
  virtual void on_database_unavailable(const DatabaseFault& /*fault*/) {}
  virtual void on_database_available() {}

  // Batches are acknowledged from the spool from now on; on_spool_drained() follows when the
  // database has all of them.
  virtual void on_spooling() {}
  virtual void on_spool_drained() {}

  // The spool takes nothing: acknowledgements wait for the database. Called when the reason
  // changes; on_spool_available() follows.
  virtual void on_spool_unavailable(const SpoolFault& /*fault*/) {}
  virtual void on_spool_available() {}

  // So many records that were acknowledged from the spool are not in it any more.
  virtual void on_spool_lost(std::uint64_t /*records*/, std::string_view /*why*/) {}
};

struct BatchLimits {
  // A batch that has as many rows, or bytes of encoded rows, at the end of a turn takes no more.
  std::size_t rows = 20'000;
  std::size_t bytes = std::size_t{4} << 20;
  std::size_t held_bytes = std::size_t{256} << 20;  // of all that waits: see congested()
};

// Gathers the rows of one shard and writes them, one transaction after the other.
//
// Group commit without a timer: the open batch is sent when end_of_turn() finds no other one under
// way, or when the one under way returns, so an idle hub commits a lone row at once and a busy one
// amortises. Batches commit in the order in which they were filled. One shard's; every call on
// that shard's thread.
class BatchWriter {
 public:
  virtual ~BatchWriter() = default;

  // Adds a row to the open batch. values.size() == target->columns.size().
  // Returns what is wrong, as a sentence for a person, when a value cannot be stored in its column;
  // the batch is then as before. The original message is kept with the batch until it commits, so
  // that a row which the database refuses can become a dead letter; once for all the rows that are
  // appended one after the other for the same message.
  [[nodiscard]] virtual std::optional<std::string> append(const RowTargetPtr& target,
                                                          std::span<const Value> values,
                                                          const MessageView& message) = 0;

  // Adds a dead letter to the open batch: it commits with it.
  virtual void append_dead_letter(std::string_view rule, std::string_view action,
                                  std::string_view reason, std::string_view detail,
                                  const MessageView& message) = 0;

  // `token` comes back by on_committed once all that was appended so far has committed; soon, by a
  // handler of its own on the shard's loop, when nothing is open or under way.
  virtual void acknowledge_after_commit(AckToken token) = 0;

  // Puts the change in place of what is durable of that session, in the transaction of the batch
  // that is closing: only from on_batch_closing(). The last call for a client in a batch counts.
  // Copies what it needs.
  virtual void make_durable(const DurableChange& change) = 0;

  // Asks that the open batch be closed and sent although it may have no row, as there is something
  // for make_durable(). Further calls change nothing, until it is closed.
  virtual void durable_change_waits() = 0;

  // Adds to the totals of a rule in the transaction of the batch that is closing: only from
  // on_batch_closing(), once for each rule. counts.committed are messages whose rows are in this
  // batch, all of them; those of which the database refuses a row are booked as dead letters. The
  // rows without a key that this batch writes are added to `rows` by the writer.
  virtual void add_to_ledger(std::string_view rule, const LedgerCounts& counts,
                             const LedgerRows& rows) = 0;
  // The same for a device of a rule, as it is given; and the sequence numbers that have arrived of
  // it, as PostgreSQL writes an int8multirange. Once for each rule and device.
  virtual void add_to_device_ledger(std::string_view rule, std::string_view device,
                                    const LedgerCounts& counts) = 0;
  virtual void add_to_sequence(std::string_view rule, std::string_view device,
                               std::string_view seen, std::int64_t given_up) = 0;

  // The devices' numbers that belong to the batch which is closing, until add_to_device_ledger()
  // and add_to_sequence() book them; at most one entry of each kind. mark: what has been booked
  // counts no more; forgotten: what a mark has passed is removed.
  virtual void add_to_journal(JournalEntry entry) = 0;
  virtual void mark_journal(const JournalMark& mark, const JournalRange& forgotten) = 0;

  // Adds to the usage that is billed under that meter's name, and to nothing else: only from
  // on_batch_closing(), with one name for all calls. `half_kilobytes` is the size of each message;
  // `day` counts from 1970, in the calendar of the bills.
  virtual void add_usage(std::string_view meter, std::int64_t half_kilobytes,
                         std::int64_t messages) = 0;
  virtual void add_active_device(std::string_view meter, std::int32_t day,
                                 std::string_view device) = 0;

  // Asks that the batch be sent although it may have no row, for what it adds to the ledger.
  virtual void ledger_changed() = 0;

  // Once per turn of the shard's loop, after everything that was ready has been appended.
  virtual void end_of_turn() = 0;

  // True from near the bound of held bytes until well below it: QoS 0 is then to be shed, and
  // connections that publish at QoS 1 or 2 are not to be read. append() itself never refuses for
  // want of room: the bound has slack for what one turn reads.
  [[nodiscard]] virtual bool congested() const noexcept = 0;

  // Bytes of rows, messages and tokens that have not committed.
  [[nodiscard]] virtual std::size_t held_bytes() const noexcept = 0;

  // True when nothing is open, under way or about to be acknowledged. To stop: end_of_turn(), then
  // run the loop until this holds.
  [[nodiscard]] virtual bool idle() const noexcept = 0;
};

}  // namespace hub::storage
