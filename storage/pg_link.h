#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/batch_writer.h"
#include "storage/pg_handles.h"
#include "storage/writer_counters.h"

namespace hub::storage {

// The connection is gone, or is taken to be: what was under way may or may not have happened.
class LinkLost : public std::runtime_error {
 public:
  explicit LinkLost(DatabaseFault fault)
      : std::runtime_error(fault.message), fault_(std::move(fault)) {}
  [[nodiscard]] const DatabaseFault& fault() const noexcept { return fault_; }

 private:
  DatabaseFault fault_;
};

// An error that the server answered with; the connection lives.
struct Refusal {
  DatabaseFault fault;
  std::size_t statement = 0;  // which of those sent, from 0
  bool has_context = false;   // raised while a row was at work: in a trigger, at a line of COPY,
                              // by a policy of row-level security
  std::optional<std::size_t> copy_row;  // the row that COPY was at, from 0; a hint only
};

struct Answer {
  std::vector<PgResult> results;  // of the statements that succeeded, in order
  std::optional<Refusal> refusal;
};

// The rows for one COPY … FROM STDIN (FORMAT binary), in pieces, without header and trailer.
using CopyRows = std::vector<std::string_view>;

// A statement with parameters in binary form.
struct ParameterStatement {
  std::string sql;
  std::vector<Oid> types;
  std::vector<std::string_view> values;
  bool recurs = false;  // worth preparing: the same text and types will come again
};

// A libpq connection inside an io_context: one exchange at a time, never blocking the thread. Every
// call that waits throws LinkLost when the connection ends, or when the database has sent and taken
// nothing for `answer_timeout`. Used and destroyed on the io_context's thread.
class PgLink {
 public:
  PgLink(boost::asio::io_context& io, PgConnection connection, WriterCounters& counters);
  ~PgLink();
  PgLink(const PgLink&) = delete;
  PgLink& operator=(const PgLink&) = delete;

  void set_answer_timeout(std::chrono::milliseconds timeout);

  // Sends a simple query, of one or several statements, and feeds the i-th COPY in it with
  // copies[i]. The views are read until it completes.
  boost::asio::awaitable<Answer> exchange(std::string sql, std::span<const CopyRows> copies = {});

  // Sends the statements in one pipeline with one Sync at its end. On a direct link those that
  // recur are prepared by their first use.
  boost::asio::awaitable<Answer> pipeline(std::span<const ParameterStatement> statements);

  // Tells which backend answers, by its pg_backend_pid(). The link is direct when that is the one
  // which has greeted it: what is prepared stays. A pooler greets with a number of its own.
  void set_backend(int pid) noexcept;
  // Prepares nothing from now on.
  void set_pooled() noexcept;
  [[nodiscard]] bool direct() const noexcept { return direct_; }

  // Makes a call that waits throw LinkLost.
  void close();

 private:
  struct Readiness;

  // A statement that the server has, or is being sent.
  struct Prepared {
    std::string name;
    enum class State { absent, asked_for, ready } state = State::absent;
  };

  void send(const ParameterStatement& statement, std::vector<Prepared*>& commands);
  // What to send the statement under; null when it is to be sent as text.
  Prepared* prepared(const ParameterStatement& statement);

  // Waits for the socket to be readable, or writable, and reads what there is.
  boost::asio::awaitable<void> wait(bool for_writing);
  boost::asio::awaitable<void> flush();
  boost::asio::awaitable<PgResult> next_result();
  boost::asio::awaitable<void> feed(const CopyRows& rows);
  boost::asio::awaitable<void> put(std::string_view bytes);
  [[noreturn]] void lost() const;
  // Throws LinkLost when the server ended the connection with this error.
  Refusal refusal_of(const PGresult* result, std::size_t statement) const;

  PgConnection connection_;
  std::shared_ptr<Readiness> readiness_;
  WriterCounters& counters_;
  bool direct_ = false;
  std::unordered_map<std::string, Prepared> prepared_;  // by its SQL
};

}  // namespace hub::storage
