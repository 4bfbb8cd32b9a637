#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/batch.h"
#include "storage/booking.h"
#include "storage/pg_batch_writer.h"
#include "storage/pg_link.h"
#include "storage/sqlstate.h"
#include "storage/writer_counters.h"

namespace hub::storage {

// As of its SQLSTATE; but a row's bytes that a column of another type cannot be read from are a
// protocol violation for the server, and no fault of the link.
[[nodiscard]] Reaction reaction_to(const Refusal& refusal) noexcept;

// Whether rows that are taken apart go by array; see TargetPlan::takes_copy() for whole batches.
[[nodiscard]] bool goes_by_array(const TargetPlan& plan) noexcept;

// Writes one batch in one transaction, in as few exchanges as its kind allows:
//
//   rows by COPY only           one simple query: a COPY for each table, then the mark. PostgreSQL
//                               runs such a query as one transaction; nothing to roll back
//   rows by array, session      one pipeline: a statement with arrays for each table, then the mark
//   states
//   both                        BEGIN and the COPYs in a simple query, the rest in a pipeline
//
// A batch of few rows goes by array where statements can be prepared: the server is asked once and
// has nothing to parse, plan or check. More rows go by COPY, which takes half the time for each.
// Rows with a key go by COPY as long as no key repeats, which the unique index tells; after a
// repeat by array with ON CONFLICT, for more and more batches as repeats go on. So do rows for a
// table that COPY cannot write to while INSERT can: a column has another type now, or row-level
// security holds.
//
// The mark comes last: COPY holds its lock on the table by then, so that the columns cannot change
// between their check and the commit, and a link that hangs before it holds nobody up.
//
// If that is refused because of a row or a table, the batch is taken apart in a transaction with a
// savepoint: per table, from the first row on, as many rows as are expected to be good; where some
// are refused, fewer, down to one. A row that is refused alone, and only such a row, becomes a dead
// letter. Per bad row this takes at most 2·log2(rows) + 4 exchanges, about 3 where the server names
// the line, and sends no row more than a few times.
class BatchSender {
 public:
  // options: hub_id, shard and few_rows.
  BatchSender(const PgWriterOptions& options, WriterCounters& counters);

  // Claims the writer's mark for this link, which ends what earlier links have under way. Returns
  // the number of the last batch that committed, or why that could not be learnt.
  struct Claimed {
    std::uint64_t last_batch = 0;
    std::optional<DatabaseFault> fault;
  };
  boost::asio::awaitable<Claimed> claim(PgLink& link);

  // A number beyond all before; and the same from that one on.
  [[nodiscard]] std::uint64_t take_number() noexcept { return next_batch_++; }
  void number_from(std::uint64_t number) noexcept {
    if (next_batch_ < number) next_batch_ = number;
  }

  // One attempt. Sets batch.number before anything is sent, and the outcome of each target before
  // COMMIT is. Empty when the batch has committed; otherwise why it is to be sent again after a
  // pause. Throws LinkLost: it may have committed.
  boost::asio::awaitable<std::optional<DatabaseFault>> send(PgLink& link, Batch& batch);

 private:
  struct Attempt;

  void renumber(Batch& batch) noexcept {
    if (!batch.number_is_final) batch.number = take_number();
  }

  // What one batch sends when nothing is wrong with it.
  struct Whole {
    std::string copy_sql;  // statements, each with a semicolon
    std::vector<CopyRows> copies;
    std::vector<TargetRows*> copied;  // the first of copies; dead letters follow
    std::string checks;               // of the tables to copy to, for a SELECT list
    std::vector<ParameterStatement> by_array;
    std::vector<TargetRows*> inserted;  // the first of by_array; sessions and the ledger follow
  };
  [[nodiscard]] Whole plan_whole(Batch& batch, bool direct);
  boost::asio::awaitable<std::optional<Refusal>> send_whole(PgLink& link, Batch& batch);
  boost::asio::awaitable<std::optional<DatabaseFault>> send_apart(PgLink& link, Batch& batch);
  boost::asio::awaitable<std::optional<DatabaseFault>> write_apart(PgLink& link, Batch& batch,
                                                                   TargetRows& target);
  boost::asio::awaitable<Answer> try_rows(PgLink& link, TargetRows& target, std::size_t begin,
                                          std::size_t end);
  boost::asio::awaitable<std::optional<Refusal>> finish_apart(PgLink& link, Batch& batch);

  std::size_t few_rows_;
  std::string writer_;  // 'hub', shard: the arguments that name it
  std::string tag_;     // a comment that begins its queries; see iothub.end_stale_batches
  Booking booking_;
  WriterCounters& counters_;
  std::uint64_t next_batch_ = 1;

  // Scratch.
  std::vector<std::vector<ByteBuffer>> arrays_;  // of each keyed target
  std::vector<ByteBuffer> session_arrays_;
  std::vector<ByteBuffer> ledger_arrays_;
  std::vector<std::size_t> row_starts_;
  bool roll_back_ = false;  // the savepoint's transaction has failed and must be rolled back to it
};

}  // namespace hub::storage
