#include "storage/pg_link.h"

#include <fmt/format.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>

namespace hub::storage {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::string_view kCopyHeader("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
constexpr std::string_view kCopyTrailer("\377\377", 2);
// Where the server checks a row against policies; the SQLSTATE is that of a missing permission.
constexpr std::string_view kRowPolicy = "ExecWithCheckOptions";
constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::size_t kMaxPrepared = 256;  // each takes some 10 kB of the server's memory

std::string_view field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? std::string_view() : std::string_view(text);
}

// The row that `COPY t, line 17, column x: "…"` names, from 0. The words may be translated, the
// shape is the same: the first number after the first comma.
std::optional<std::size_t> copy_row(std::string_view context) {
  const std::size_t start = context.rfind("COPY ");
  if (start == std::string_view::npos) return std::nullopt;
  std::size_t at = context.find(", ", start);
  if (at == std::string_view::npos) return std::nullopt;
  at = context.find_first_of("0123456789", at);
  if (at == std::string_view::npos) return std::nullopt;
  std::size_t line = 0;
  std::from_chars(context.data() + at, context.data() + context.size(), line);
  if (line == 0) return std::nullopt;
  return line - 1;
}

}  // namespace

// Waits for the socket. Outlives the link by the handlers that are still queued.
struct PgLink::Readiness : std::enable_shared_from_this<Readiness> {
  Readiness(asio::io_context& io, int descriptor) : socket(io, descriptor), wake(io) {}

  // Returns when the socket is readable, or (if asked for) writable, or closed; false when nothing
  // happened for the whole timeout.
  asio::awaitable<bool> wait(bool for_writing) {
    arm(asio::posix::stream_descriptor::wait_read, reading);
    if (for_writing) arm(asio::posix::stream_descriptor::wait_write, writing);
    woken = false;
    wake.expires_after(timeout);
    error_code cancelled;
    co_await wake.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    co_return woken;
  }

  void arm(asio::posix::stream_descriptor::wait_type type, bool& armed) {
    if (armed) return;
    armed = true;
    socket.async_wait(type, [self = shared_from_this(), &armed](error_code) {
      armed = false;
      self->rouse();
    });
  }

  void rouse() {
    woken = true;
    wake.cancel();
  }

  asio::posix::stream_descriptor socket;
  asio::steady_timer wake;
  std::chrono::milliseconds timeout{30'000};
  bool woken = false;
  bool reading = false;
  bool writing = false;
  bool closed = false;
};

PgLink::PgLink(asio::io_context& io, PgConnection connection, WriterCounters& counters)
    : connection_(std::move(connection)),
      readiness_(std::make_shared<Readiness>(io, PQsocket(connection_.get()))),
      counters_(counters) {
  PQsetnonblocking(connection_.get(), 1);
  PQsetNoticeProcessor(connection_.get(), [](void*, const char*) {}, nullptr);
}

PgLink::~PgLink() {
  close();
  readiness_->socket.release();  // libpq closes the descriptor itself
}

void PgLink::set_answer_timeout(std::chrono::milliseconds timeout) {
  readiness_->timeout = timeout;
}

void PgLink::close() {
  readiness_->closed = true;
  readiness_->socket.cancel();
  readiness_->rouse();
}

void PgLink::lost() const { throw LinkLost({"", one_line(PQerrorMessage(connection_.get()))}); }

asio::awaitable<void> PgLink::wait(bool for_writing) {
  const bool in_time = co_await readiness_->wait(for_writing);
  if (readiness_->closed) throw LinkLost({"", "the connection was closed by the hub"});
  if (!in_time) {
    counters_.answer_timeouts.add();
    throw LinkLost({"", fmt::format("the database did not answer for {} s",
                                    std::chrono::duration<double>(readiness_->timeout).count())});
  }
  if (PQconsumeInput(connection_.get()) == 0) lost();
}

asio::awaitable<void> PgLink::flush() {
  for (;;) {
    const int pending = PQflush(connection_.get());
    if (pending < 0) lost();
    if (pending == 0) co_return;
    co_await wait(/*for_writing=*/true);
  }
}

asio::awaitable<PgResult> PgLink::next_result() {
  co_await flush();
  while (PQisBusy(connection_.get()) != 0) co_await wait(/*for_writing=*/false);
  co_return PgResult(PQgetResult(connection_.get()));
}

asio::awaitable<void> PgLink::put(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kPieceBytes);
    const int taken =
        PQputCopyData(connection_.get(), piece.data(), static_cast<int>(piece.size()));
    if (taken < 0) lost();
    const bool whole = taken > 0 && piece.size() == bytes.size();
    if (taken > 0) bytes.remove_prefix(piece.size());
    // The end of a piece goes with what follows it.
    if (!whole) co_await flush();
  }
}

asio::awaitable<void> PgLink::feed(const CopyRows& rows) {
  co_await put(kCopyHeader);
  for (const std::string_view piece : rows) co_await put(piece);
  co_await put(kCopyTrailer);
  int ended = 0;
  while ((ended = PQputCopyEnd(connection_.get(), nullptr)) == 0) co_await flush();
  if (ended < 0) lost();
}

Refusal PgLink::refusal_of(const PGresult* result, std::size_t statement) const {
  Refusal out;
  out.fault.sqlstate = field(result, PG_DIAG_SQLSTATE);
  out.fault.message = field(result, PG_DIAG_MESSAGE_PRIMARY);
  if (const auto detail = field(result, PG_DIAG_MESSAGE_DETAIL); !detail.empty()) {
    out.fault.message += fmt::format(" ({})", detail);
  }
  const std::string_view severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (out.fault.sqlstate.empty() || severity == "FATAL" || severity == "PANIC") {
    if (out.fault.message.empty()) out.fault.message = one_line(PQresultErrorMessage(result));
    throw LinkLost(out.fault);
  }
  const std::string_view context = field(result, PG_DIAG_CONTEXT);
  out.statement = statement;
  out.has_context = !context.empty() || field(result, PG_DIAG_SOURCE_FUNCTION) == kRowPolicy;
  out.copy_row = copy_row(context);
  return out;
}

asio::awaitable<Answer> PgLink::exchange(std::string sql, std::span<const CopyRows> copies) {
  counters_.statements_sent.add();
  if (PQsendQuery(connection_.get(), sql.c_str()) == 0) lost();
  Answer answer;
  std::size_t copy = 0;
  while (PgResult result = co_await next_result()) {
    switch (PQresultStatus(result.get())) {
      case PGRES_COPY_IN:
        co_await feed(copies[copy++]);
        break;
      case PGRES_COMMAND_OK:
      case PGRES_TUPLES_OK:
      case PGRES_EMPTY_QUERY:
        answer.results.push_back(std::move(result));
        break;
      default:
        if (!answer.refusal) answer.refusal = refusal_of(result.get(), answer.results.size());
    }
  }
  if (PQstatus(connection_.get()) == CONNECTION_BAD) lost();
  co_return answer;
}

void PgLink::set_backend(int pid) noexcept { direct_ = pid == PQbackendPID(connection_.get()); }

void PgLink::set_pooled() noexcept { direct_ = false; }

PgLink::Prepared* PgLink::prepared(const ParameterStatement& statement) {
  if (!direct_ || !statement.recurs) return nullptr;
  if (const auto known = prepared_.find(statement.sql); known != prepared_.end()) {
    return &known->second;
  }
  if (prepared_.size() == kMaxPrepared) return nullptr;
  const auto name = fmt::format("iothub_{}", prepared_.size() + 1);
  return &prepared_.emplace(statement.sql, Prepared{name}).first->second;
}

void PgLink::send(const ParameterStatement& statement, std::vector<Prepared*>& commands) {
  PGconn* const pg = connection_.get();
  const int count = static_cast<int>(statement.values.size());
  std::vector<const char*> values;
  std::vector<int> lengths;
  for (const std::string_view value : statement.values) {
    values.push_back(value.data());
    lengths.push_back(static_cast<int>(value.size()));
  }
  const std::vector<int> formats(statement.values.size(), 1);
  int sent = 0;
  if (Prepared* const as = prepared(statement)) {
    if (as->state == Prepared::State::absent) {
      as->state = Prepared::State::asked_for;
      commands.push_back(as);
      if (PQsendPrepare(pg, as->name.c_str(), statement.sql.c_str(), count,
                        statement.types.data()) == 0) {
        lost();
      }
    }
    sent = PQsendQueryPrepared(pg, as->name.c_str(), count, values.data(), lengths.data(),
                               formats.data(), 0);
  } else {
    sent = PQsendQueryParams(pg, statement.sql.c_str(), count, statement.types.data(),
                             values.data(), lengths.data(), formats.data(), 0);
  }
  commands.push_back(nullptr);
  if (sent == 0) lost();
}

asio::awaitable<Answer> PgLink::pipeline(std::span<const ParameterStatement> statements) {
  counters_.statements_sent.add();
  PGconn* const pg = connection_.get();
  if (PQenterPipelineMode(pg) == 0) lost();
  std::vector<Prepared*> commands;  // what was sent, in order; null for a statement itself
  for (const ParameterStatement& statement : statements) send(statement, commands);
  if (PQpipelineSync(pg) == 0) lost();

  Answer answer;
  std::size_t command = 0;
  for (bool synced = false; !synced;) {
    PgResult result = co_await next_result();
    if (!result) {
      if (PQstatus(pg) == CONNECTION_BAD) lost();
      continue;  // the end of one command's results
    }
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_PIPELINE_SYNC) {
      synced = true;
      continue;
    }
    const bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!good && status != PGRES_PIPELINE_ABORTED && !answer.refusal) {
      answer.refusal = refusal_of(result.get(), answer.results.size());
    }
    // COMMIT may be refused when all commands have been answered.
    Prepared* const preparing = command < commands.size() ? commands[command++] : nullptr;
    if (preparing != nullptr) {
      preparing->state = good ? Prepared::State::ready : Prepared::State::absent;
    } else if (good) {
      answer.results.push_back(std::move(result));
    }
  }
  if (PQexitPipelineMode(pg) == 0) lost();
  co_return answer;
}

}  // namespace hub::storage
