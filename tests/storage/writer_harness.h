#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "storage/pg_batch_writer.h"
#include "tests/support/postgres_fixture.h"

namespace hub::storage {

// A column as the catalogue would describe it.
Column make_column(std::string name, ColumnType type, std::string type_name);

// "dump <table>" of the rule "r" into a table of the schema public.
RowTargetPtr make_target(std::string table, std::vector<Column> columns,
                         std::vector<std::string> key = {},
                         OnConflict on_conflict = OnConflict::ignore);

// A session that has nothing but its expiry, and what iothub.session_state has of it in
// hexadecimal.
SessionKept bare_session(std::string_view client_id, std::uint32_t expiry_seconds = 1);
std::string bare_session_row(std::uint32_t expiry_seconds = 1);

// A database with the hub's schema, a writer on it, and all that the writer tells. Everything runs
// on the test's thread: run_until() turns the loop.
class WriterHarness : public CommitListener {
 public:
  // url_of: where the writer connects for a database of that name; to it itself when empty.
  using UrlOf = std::function<std::string(std::string_view database)>;
  explicit WriterHarness(PgWriterOptions options = {}, const UrlOf& url_of = {});
  ~WriterHarness() override;

  PgWriterOptions& options() { return options_; }
  test::TestDatabase& database() { return database_; }
  PgBatchWriter& writer() { return *writer_; }

  // Makes a new writer in the place of the one before, as a hub that starts anew does.
  void restart_writer();
  // Small batches go by COPY as large ones do. Before anything is written.
  void copy_always();
  void drop_writer() { writer_.reset(); }

  // Adds a row (n bigint, t text) for a message of its own, with a token that bears its number.
  void append(const RowTargetPtr& target, std::int64_t n, std::string_view text = "x");

  // The message of append(…, n).
  static MessageView message(std::int64_t n);

  // Turns the loop until the condition holds; fails the test after 20 s.
  void run_until(const std::function<bool()>& condition);
  void run_until_idle();

  // Runs so many handlers, or fewer when none is ready for a moment.
  void run_handlers(int count);

  // What was told.
  std::vector<std::uint64_t> acknowledged;
  std::vector<std::string> notices;
  std::map<std::string, RowOutcome> outcomes;  // by table, summed
  std::map<std::string, LedgerCounts> booked;  // by rule, summed
  std::vector<std::string> refused;            // "<rule> <client id>"
  std::function<void()> when_closing;
  std::function<void()> when_rows;
  std::function<void()> when_committed;

 private:
  void on_batch_closing() override;
  void on_committed(std::span<const AckToken> tokens) override;
  void on_rows(const RowTarget& target, const RowOutcome& outcome) override;
  void on_booked(std::string_view rule, const LedgerCounts& counts) override;
  void on_refused(const RowTarget& target, const MessageView& message) override;
  void on_target_fault(const RowTarget& target, const DatabaseFault& fault) override;
  void on_target_usable(const RowTarget& target) override;
  void on_database_unavailable(const DatabaseFault& fault) override;
  void on_database_available() override;
  void on_spooling() override;
  void on_spool_drained() override;
  void on_spool_unavailable(const SpoolFault& fault) override;
  void on_spool_available() override;
  void on_spool_lost(std::uint64_t records, std::string_view why) override;

  test::TestDatabase database_;
  PgWriterOptions options_;
  std::unique_ptr<boost::asio::io_context> io_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<PgBatchWriter> writer_;
};

// 0, 1, …, count - 1
std::vector<std::uint64_t> numbers(std::uint64_t count);

}  // namespace hub::storage
