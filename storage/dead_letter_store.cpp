#include "storage/dead_letter_store.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <stdexcept>

#include "base/topic.h"
#include "storage/connection_parameters.h"
#include "storage/pg_handles.h"
#include "storage/sql_text.h"
#include "storage/sqlstate.h"
#include "storage/target_plan.h"

namespace hub::storage {
namespace {

constexpr std::string_view kColumns =
    "id, message_id, (extract(epoch FROM received_at) * 1000000)::bigint, received_at, rule, "
    "action, reason, detail, coalesce(sqlstate, ''), topic, client_id, coalesce(username, ''), "
    "qos, retain, payload, attempts";

std::string_view text_at(const PGresult* result, int row, int column) {
  return {PQgetvalue(result, row, column),
          static_cast<std::size_t>(PQgetlength(result, row, column))};
}

std::int64_t number_at(const PGresult* result, int row, int column) {
  const std::string_view text = text_at(result, row, column);
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

MessageId message_id_of(std::string_view uuid) {
  MessageId out;
  int digits = 0;
  for (const char c : uuid) {
    if (c == '-') continue;
    const auto digit = static_cast<std::uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    std::uint64_t& half = digits++ < 16 ? out.high : out.low;
    half = half << 4 | digit;
  }
  return out;
}

std::string bytes_at(const PGresult* result, int row, int column) {
  std::size_t size = 0;
  const std::unique_ptr<unsigned char, decltype(&PQfreemem)> bytes(
      PQunescapeBytea(reinterpret_cast<const unsigned char*>(PQgetvalue(result, row, column)),
                      &size),
      &PQfreemem);
  return {reinterpret_cast<const char*>(bytes.get()), size};
}

DeadLetter dead_letter_at(const PGresult* result, int row) {
  DeadLetter out;
  int column = 0;
  out.id = number_at(result, row, column++);
  out.message_id = message_id_of(text_at(result, row, column++));
  out.received_at = Timestamp(std::chrono::microseconds(number_at(result, row, column++)));
  for (std::string* text : {&out.received_at_text, &out.rule, &out.action, &out.reason, &out.detail,
                            &out.sqlstate, &out.topic, &out.client_id, &out.username}) {
    *text = text_at(result, row, column++);
  }
  out.qos = static_cast<Qos>(number_at(result, row, column++));
  out.retain = text_at(result, row, column++) == "t";
  out.payload = bytes_at(result, row, column++);
  out.attempts = number_at(result, row, column);
  return out;
}

// A literal of text that PostgreSQL takes for certain: what it would refuse becomes '?'.
std::string any_text(std::string_view text) {
  if (is_valid_utf8_string(text)) return quote_literal(text);
  std::string safe(text);
  for (char& c : safe) {
    if (c == '\0' || static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return quote_literal(safe);
}

// An instant as an expression: "2 hours ago" counts from now.
std::string instant_sql(const std::string& text) {
  const std::string literal = quote_literal(text);
  return text.ends_with("ago") ? fmt::format("now() + {}::interval", literal)
                               : literal + "::timestamptz";
}

std::string where(const DeadLetterFilter& filter) {
  std::string out = "true";
  if (!filter.ids.empty()) out += fmt::format(" AND id IN ({})", fmt::join(filter.ids, ","));
  if (filter.rule) out += " AND rule = " + quote_literal(*filter.rule);
  if (filter.reason) out += " AND reason = " + quote_literal(*filter.reason);
  if (filter.client_id) out += " AND client_id = " + quote_literal(*filter.client_id);
  if (filter.since) out += " AND received_at >= " + instant_sql(*filter.since);
  if (filter.until) out += " AND received_at < " + instant_sql(*filter.until);
  return out;
}

std::string limit(const DeadLetterFilter& filter) {
  return filter.limit ? fmt::format(" LIMIT {}", *filter.limit) : "";
}

}  // namespace

MessageView DeadLetter::message(std::string& padded) const {
  padded = payload;
  padded.append(kPayloadPadding, '\0');
  MessageView out;
  out.id = message_id;
  out.received_at = received_at;
  out.topic = topic;
  out.payload = std::string_view(padded).substr(0, payload.size());
  out.client_id = client_id;
  out.username = username;
  out.qos = qos;
  out.retain = retain;
  return out;
}

struct DeadLetterStore::Impl {
  PgConnection connection;
  bool in_transaction = false;
  std::map<const RowTarget*, TargetPlan> plans;
  std::vector<ByteBuffer> arrays;

  [[noreturn]] void fail() const {
    throw std::runtime_error(one_line(PQerrorMessage(connection.get())));
  }

  PgResult run(const std::string& sql) {
    PgResult result(PQexec(connection.get(), sql.c_str()));
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail();
    return result;
  }

  PgResult try_run(const ParameterStatement& statement) {
    std::vector<const char*> values;
    std::vector<int> lengths;
    for (const std::string_view value : statement.values) {
      values.push_back(value.data());
      lengths.push_back(static_cast<int>(value.size()));
    }
    const std::vector<int> formats(statement.values.size(), 1);
    return PgResult(PQexecParams(connection.get(), statement.sql.c_str(),
                                 static_cast<int>(values.size()), statement.types.data(),
                                 values.data(), lengths.data(), formats.data(), 0));
  }

  void begin() {
    if (in_transaction) return;
    run("BEGIN; SET CONSTRAINTS ALL IMMEDIATE");
    in_transaction = true;
  }

  std::vector<DeadLetter> read(const std::string& sql) {
    const PgResult result = run(sql);
    std::vector<DeadLetter> out;
    for (int row = 0; row < PQntuples(result.get()); ++row) {
      out.push_back(dead_letter_at(result.get(), row));
    }
    return out;
  }

  const TargetPlan& plan_of(const RowTargetPtr& target) {
    return plans.try_emplace(target.get(), target).first->second;
  }

  // Why the row was refused; adds it to `written` otherwise.
  std::optional<DatabaseFault> write(const Row& row, LedgerRows& written) {
    const TargetPlan& plan = plan_of(row.target);
    const PgResult result = try_run(plan.insert(row.bytes, 1, arrays));
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
      const auto inserted = static_cast<std::int64_t>(plan.inserted(result.get()));
      written.rows += inserted;
      written.duplicates += 1 - inserted;
      return std::nullopt;
    }
    const char* const sqlstate = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    if (sqlstate == nullptr || reaction_to(sqlstate) == Reaction::retry) fail();
    DatabaseFault fault{sqlstate,
                        one_line(PQresultErrorField(result.get(), PG_DIAG_MESSAGE_PRIMARY))};
    if (const char* detail = PQresultErrorField(result.get(), PG_DIAG_MESSAGE_DETAIL)) {
      fault.message += fmt::format(" ({})", one_line(detail));
    }
    return fault;
  }

  // The message has ended when it was the last dead letter of its rule.
  void move_in_ledger(const DeadLetter& letter, const LedgerRows& written,
                      std::int64_t LedgerCounts::* ending) {
    const std::string rule = quote_literal(letter.rule);
    const PgResult others = run(fmt::format(
        "SELECT count(*) FROM iothub.dead_letter WHERE rule = {} AND message_id = '{}' AND "
        "received_at = {}::timestamptz",
        rule, letter.message_id.to_string(), quote_literal(letter.received_at_text)));
    LedgerCounts moved;
    if (number_at(others.get(), 0, 0) == 0) {
      moved.dead_lettered -= 1;
      moved.*ending += 1;
    }
    std::string names;
    std::string values;
    std::string changes;
    moved.for_each([&](std::string_view name, std::int64_t value) {
      names += fmt::format(", {}", name);
      values += fmt::format("{}{}", values.empty() ? "" : ", ", value);
      changes += fmt::format("{0}{1} = d.{1} + excluded.{1}", changes.empty() ? "" : ", ", name);
    });
    run(
        fmt::format("SELECT iothub.add_to_ledger('00000000-0000-0000-0000-000000000000', 0, "
                    "ARRAY[{}], ARRAY[{}, {}, {}]::bigint[])",
                    rule, values, written.rows, written.duplicates));
    if (moved == LedgerCounts{}) return;
    run(
        fmt::format("INSERT INTO iothub.device_ledger AS d (rule, device{}) VALUES ({}, {}, {}) ON "
                    "CONFLICT (rule, device) DO UPDATE SET {}",
                    names, rule, quote_literal(letter.client_id), values, changes));
  }
};

DeadLetterStore::DeadLetterStore(const std::string& url) : impl_(std::make_unique<Impl>()) {
  impl_->connection.reset(PQconnectdb(to_string(connection_parameters(url)).c_str()));
  if (PQstatus(impl_->connection.get()) != CONNECTION_OK) impl_->fail();
  PQsetNoticeProcessor(impl_->connection.get(), [](void*, const char*) {}, nullptr);
  impl_->run("SET client_encoding = 'UTF8'; SET timezone = 'UTC'");
}

DeadLetterStore::~DeadLetterStore() = default;

bool DeadLetterStore::is_time(const std::string& text) {
  const PgResult result(PQexec(impl_->connection.get(), ("SELECT " + instant_sql(text)).c_str()));
  if (PQresultStatus(result.get()) == PGRES_TUPLES_OK) return true;
  const char* const sqlstate = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
  if (sqlstate == nullptr || !std::string_view(sqlstate).starts_with("22")) impl_->fail();
  return false;
}

std::vector<DeadLetter> DeadLetterStore::list(const DeadLetterFilter& filter) {
  return impl_->read(fmt::format("SELECT {} FROM iothub.dead_letter WHERE {} ORDER BY id{}",
                                 kColumns, where(filter), limit(filter)));
}

std::uint64_t DeadLetterStore::drop(const DeadLetterFilter& filter) {
  const PgResult result = impl_->run(
      fmt::format("DELETE FROM iothub.dead_letter WHERE id IN (SELECT id FROM iothub.dead_letter "
                  "WHERE {} ORDER BY id{} FOR UPDATE)",
                  where(filter), limit(filter)));
  return std::stoull(PQcmdTuples(result.get()));
}

std::vector<DeadLetter> DeadLetterStore::take(const DeadLetterFilter& filter, std::int64_t after,
                                              std::size_t count) {
  impl_->begin();
  return impl_->read(
      fmt::format("SELECT {} FROM iothub.dead_letter WHERE {} AND id > {} ORDER BY id LIMIT {} FOR "
                  "UPDATE SKIP LOCKED",
                  kColumns, where(filter), after, count));
}

std::optional<DatabaseFault> DeadLetterStore::settle(const DeadLetter& letter,
                                                     const std::vector<Row>& rows,
                                                     std::int64_t LedgerCounts::* ending) {
  impl_->run("SAVEPOINT letter");
  LedgerRows written;
  for (const Row& row : rows) {
    if (auto fault = impl_->write(row, written)) {
      impl_->run("ROLLBACK TO SAVEPOINT letter; RELEASE SAVEPOINT letter");
      return fault;
    }
  }
  impl_->run(fmt::format("DELETE FROM iothub.dead_letter WHERE id = {}", letter.id));
  impl_->move_in_ledger(letter, written, ending);
  impl_->run("RELEASE SAVEPOINT letter");
  return std::nullopt;
}

void DeadLetterStore::keep(const DeadLetter& letter, std::string_view reason,
                           std::string_view detail, std::string_view sqlstate) {
  impl_->run(fmt::format(
      "UPDATE iothub.dead_letter SET attempts = attempts + 1, reason = {}, detail = left({}, 2000),"
      " sqlstate = nullif({}, '') WHERE id = {}",
      any_text(reason), any_text(detail), any_text(sqlstate), letter.id));
}

void DeadLetterStore::commit() {
  impl_->run("COMMIT");
  impl_->in_transaction = false;
}

}  // namespace hub::storage
