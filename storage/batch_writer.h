#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/message.h"
#include "base/table_schema.h"
#include "base/value.h"

namespace hub::storage {

// Where the rows of one dump action go: a table and the columns that the rows have, in order.
// Immutable and shared by all shards once made.
struct RowTarget {
  std::string rule;    // for the dead-letter table and the counters
  std::string action;  // "dump climate"
  std::string schema;
  std::string table;
  std::vector<Column> columns;
};

// What the broker gives to, and takes from, the writer. All calls on the writer's thread.
class CommitListener {
 public:
  virtual ~CommitListener() = default;

  // A batch is about to be sent: save_session_state() may be called, and counts for this batch.
  virtual void on_batch_closing() = 0;

  // Everything that was appended before each token is durable. Tokens come in the order in which
  // they were given.
  virtual void on_committed(std::span<const AckToken> tokens) = 0;
};

struct BatchLimits {
  std::size_t rows = 20'000;                       // a batch that has as many is sent alone
  std::size_t bytes = std::size_t{4} << 20;        // of encoded rows in one batch
  std::size_t held_bytes = std::size_t{256} << 20; // of all that waits: see congested()
};

// Gathers the rows of one shard and writes them, one transaction after the other.
//
// Group commit without a timer: the open batch is sent when end_of_turn() finds no other one under
// way, so an idle hub commits a lone row at once and a busy one amortises. Rows are committed in
// the order in which they were appended. One shard's; every call on that shard's thread.
class BatchWriter {
 public:
  virtual ~BatchWriter() = default;

  // Adds a row to the open batch. values.size() == target.columns.size().
  // Returns what is wrong, as a sentence for a person, when a value cannot be stored in its column;
  // the batch is then as before. The original message is kept with the batch until it commits, so
  // that a row which the database refuses can become a dead letter.
  [[nodiscard]] virtual std::optional<std::string> append(const RowTarget& target,
                                                          std::span<const Value> values,
                                                          const MessageView& message) = 0;

  // Adds a dead letter to the open batch: it commits with it. `sqlstate` may be empty.
  virtual void append_dead_letter(std::string_view rule, std::string_view action,
                                  std::string_view reason, std::string_view detail,
                                  const MessageView& message) = 0;

  // `token` comes back by on_committed once all that was appended so far has committed; at the
  // end of this turn when nothing is open or under way.
  virtual void acknowledge_after_commit(AckToken token) = 0;

  // Sets the durable state of a client's session; empty removes it. Opaque bytes. Commits with the
  // batch that is closing: only from on_batch_closing().
  virtual void save_session_state(std::string_view client_id, std::string_view state) = 0;

  // Asks that the batch be sent although it may have no row, as session state has changed.
  virtual void session_state_changed() = 0;

  // Once per turn of the shard's loop, after everything that was ready has been appended.
  virtual void end_of_turn() = 0;

  // True from near the bound of held bytes until well below it: QoS 0 is then to be shed, and
  // connections that publish at QoS 1 or 2 are not to be read. append() itself never refuses for
  // want of room: the bound has slack for what one turn reads.
  [[nodiscard]] virtual bool congested() const noexcept = 0;

  // Bytes of rows, messages and tokens that have not committed.
  [[nodiscard]] virtual std::size_t held_bytes() const noexcept = 0;

  // True when nothing is open or under way.
  [[nodiscard]] virtual bool idle() const noexcept = 0;
};

}  // namespace hub::storage
