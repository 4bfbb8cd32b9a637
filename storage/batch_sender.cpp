#include "storage/batch_sender.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "storage/ledger_sql.h"
#include "storage/session_state_sql.h"
#include "storage/sql_text.h"
#include "storage/sqlstate.h"

namespace hub::storage {

namespace asio = boost::asio;

namespace {

std::uint64_t number_at(const PGresult* result, int column) {
  const std::string_view text = PQgetvalue(result, 0, column);
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// What a database without the hub's schema answers.
bool says_not_initialised(std::string_view sqlstate) {
  return sqlstate == "3F000" || sqlstate == "42P01" || sqlstate == "42883";
}

// Someone between the hub and the server has changed backends, or has cleared this one, after all.
bool lacks_prepared(const Refusal& refusal) {
  return refusal.fault.sqlstate == "26000" || refusal.fault.sqlstate == "42P05";
}

}  // namespace

BatchSender::BatchSender(const PgWriterOptions& options, WriterCounters& counters)
    : few_rows_(options.few_rows),
      writer_(fmt::format("{}, {}", quote_literal(options.hub_id), options.shard)),
      tag_(fmt::format("/* iothub {}/{} */ ", options.hub_id, options.shard)),
      booking_(writer_, tag_),
      counters_(counters) {}

Reaction reaction_to(const Refusal& refusal) noexcept {
  const bool of_bytes = refusal.has_context && refusal.fault.sqlstate == "08P01";
  return of_bytes ? Reaction::bad_row : reaction_to(refusal.fault.sqlstate);
}

bool goes_by_array(const TargetPlan& plan) noexcept { return plan.keyed() || !plan.takes_copy(); }

asio::awaitable<BatchSender::Claimed> BatchSender::claim(PgLink& link) {
  const std::string end_stale = fmt::format("SELECT iothub.end_stale_batches({})", writer_);
  // Waits a little for what an earlier link has under way; then ends it.
  const std::string sql = fmt::format(
      "SET LOCAL lock_timeout = '1s'; "
      "SELECT link, batch, pg_backend_pid() FROM iothub.claim_writer({})",
      writer_);
  Answer answer = co_await link.exchange(sql);
  if (answer.refusal && reaction_to(answer.refusal->fault.sqlstate) != Reaction::target_fault) {
    const Answer ended = co_await link.exchange(end_stale);
    if (!ended.refusal) answer = co_await link.exchange(sql);
  }
  if (answer.refusal) {
    DatabaseFault fault = answer.refusal->fault;
    if (says_not_initialised(fault.sqlstate)) {
      fault.message = fmt::format(
          "the database is not initialised for the hub, or by an older one ({}); run: iothub db "
          "init",
          fault.message);
    }
    co_return Claimed{0, std::move(fault)};
  }
  const PGresult* const row = answer.results.back().get();
  const std::uint64_t link_number = number_at(row, 0);
  booking_.claimed(link_number);
  link.set_backend(static_cast<int>(number_at(row, 2)));
  // What is still running can commit no more, but holds its locks until the server notices.
  if (link_number > 1) co_await link.exchange(end_stale);
  co_return Claimed{number_at(row, 1), std::nullopt};
}

asio::awaitable<std::optional<DatabaseFault>> BatchSender::send(PgLink& link, Batch& batch) {
  renumber(batch);
  ++batch.attempts;
  const auto targets = batch.targets();
  const bool expects_fault = std::any_of(targets.begin(), targets.end(),
                                         [](const TargetRows& t) { return t.plan->faulted; });
  if (!expects_fault && !batch.search_rows) {
    const auto refusal = co_await send_whole(link, batch);
    if (!refusal) co_return std::nullopt;
    const Reaction reaction = reaction_to(*refusal);
    if (reaction == Reaction::suspect_row) batch.search_rows = true;
    if (reaction == Reaction::retry || reaction == Reaction::suspect_row) co_return refusal->fault;
    renumber(batch);
  }
  counters_.batches_split.add();
  co_return co_await send_apart(link, batch);
}

BatchSender::Whole BatchSender::plan_whole(Batch& batch, bool direct) {
  Whole out;
  batch.forget_refused();
  const bool few = direct && batch.rows() <= few_rows_ && batch.dead_letters.count() == 0;
  if (arrays_.size() < batch.targets().size()) arrays_.resize(batch.targets().size());
  for (TargetRows& target : batch.targets()) {
    target.outcome = {target.count(), 0, 0};
    TargetPlan& plan = *target.plan;
    if (target.count() == 0) continue;
    if (plan.takes_copy() && !few) {
      out.copy_sql += plan.copy_sql(target.count()) + "; ";
      out.copies.push_back({target.rows.view()});
      out.copied.push_back(&target);
      out.checks += ", " + plan.check_sql();
    } else {
      out.by_array.push_back(
          plan.insert(target.rows.view(), target.count(), arrays_[out.inserted.size()]));
      out.inserted.push_back(&target);
    }
  }
  if (batch.dead_letters.count() > 0) {
    out.copy_sql += std::string(DeadLetters::kCopySql) + "; ";
    out.copies.push_back({batch.dead_letters.rows().view()});
  }
  settle_ledger(batch);
  add_session_statements(batch.session_changes, session_arrays_, out.by_array);
  add_device_statements(writer_, batch.ledger, first_added(batch.ledger), ledger_arrays_,
                        out.by_array);
  for (ParameterStatement& statement : out.by_array) statement.sql.insert(0, tag_);
  return out;
}

asio::awaitable<std::optional<Refusal>> BatchSender::send_whole(PgLink& link, Batch& batch) {
  for (;;) {
    Whole whole = plan_whole(batch, link.direct());
    Answer answer;
    std::size_t first_copy = 0;    // its statement
    std::size_t from_booking = 1;  // statements
    if (whole.copies.empty()) {
      whole.by_array.push_back(booking_.statement(batch));
      answer = co_await link.pipeline(whole.by_array);
    } else if (whole.by_array.empty()) {
      answer = co_await link.exchange(
          tag_ + whole.copy_sql + "SELECT " + booking_.sql(batch) + whole.checks, whole.copies);
    } else {
      first_copy = 1;
      std::string begin = tag_ + "BEGIN; " + whole.copy_sql;
      if (!whole.checks.empty()) begin += "SELECT " + whole.checks.substr(2);
      answer = co_await link.exchange(std::move(begin), whole.copies);
      const bool copied = !answer.refusal;
      if (copied) {
        whole.by_array.push_back(booking_.statement(batch));
        whole.by_array.push_back({"COMMIT", {}, {}});
        from_booking = 2;
        answer = co_await link.pipeline(whole.by_array);
      }
      if (answer.refusal) {
        co_await link.exchange("ROLLBACK");
        if (copied && !lacks_prepared(*answer.refusal)) co_return std::move(answer.refusal);
      }
    }
    if (!answer.refusal) {
      booking_.learn(batch, answer.results[answer.results.size() - from_booking].get());
      for (std::size_t i = 0; i < whole.inserted.size(); ++i) {
        TargetRows& target = *whole.inserted[i];
        const std::uint64_t inserted = target.plan->inserted(answer.results[i].get());
        target.outcome = {inserted, target.count() - inserted, 0};
        target.plan->inserted_by_array();
      }
      for (TargetRows* target : whole.copied) target->plan->copied();
      co_return std::nullopt;
    }
    if (link.direct() && lacks_prepared(*answer.refusal)) {
      link.set_pooled();
      renumber(batch);
      continue;
    }
    // A key that repeats is no fault: the same rows once more, by array.
    const std::size_t refused = answer.refusal->statement - first_copy;
    const bool repeats = answer.refusal->fault.sqlstate == "23505" &&
                         answer.refusal->statement >= first_copy && refused < whole.copied.size() &&
                         whole.copied[refused]->plan->keyed();
    if (!repeats) co_return std::move(answer.refusal);
    whole.copied[refused]->plan->put_copy_off();
    renumber(batch);
  }
}

asio::awaitable<std::optional<DatabaseFault>> BatchSender::send_apart(PgLink& link, Batch& batch) {
  batch.forget_refused();
  // Deferred constraints are checked with each piece, not only by COMMIT.
  Answer begun = co_await link.exchange(
      fmt::format("BEGIN; SELECT {}; SET CONSTRAINTS ALL IMMEDIATE; SAVEPOINT piece",
                  booking_.mark_sql(batch)));
  std::optional<DatabaseFault> fault;
  if (begun.refusal) fault = begun.refusal->fault;
  roll_back_ = false;
  for (TargetRows& target : batch.targets()) {
    if (fault) break;
    fault = co_await write_apart(link, batch, target);
  }
  if (!fault) {
    const auto refusal = co_await finish_apart(link, batch);
    if (!refusal) {
      booking_.forget_places();
      co_return std::nullopt;
    }
    fault = refusal->fault;
  }
  co_await link.exchange("ROLLBACK");
  co_return fault;
}

// The end of a batch that was taken apart: ledger, dead letters, sessions, COMMIT.
asio::awaitable<std::optional<Refusal>> BatchSender::finish_apart(PgLink& link, Batch& batch) {
  std::string query = roll_back_ ? "ROLLBACK TO SAVEPOINT piece; " : "";
  settle_ledger(batch);
  if (const auto ledger = ledger_sql(writer_, batch); !ledger.empty()) {
    query += "SELECT " + ledger + "; ";
  }
  std::vector<CopyRows> copies;
  if (batch.dead_letters.count() + batch.refused.count() > 0) {
    query += std::string(DeadLetters::kCopySql) + "; ";
    copies.push_back({batch.dead_letters.rows().view(), batch.refused.rows().view()});
  }
  std::vector<ParameterStatement> statements;
  add_session_statements(batch.session_changes, session_arrays_, statements);
  add_device_statements(writer_, batch.ledger, nullptr, ledger_arrays_, statements);
  if (statements.empty()) {
    Answer answer = co_await link.exchange(query + "COMMIT", copies);
    co_return std::move(answer.refusal);
  }
  if (!query.empty()) {
    Answer answer = co_await link.exchange(query, copies);
    if (answer.refusal) co_return std::move(answer.refusal);
  }
  statements.push_back({"COMMIT", {}, {}});
  Answer answer = co_await link.pipeline(statements);
  co_return std::move(answer.refusal);
}

// Writes rows [begin, end) and leaves a new savepoint behind them.
asio::awaitable<Answer> BatchSender::try_rows(PgLink& link, TargetRows& target, std::size_t begin,
                                              std::size_t end) {
  const std::string_view rows =
      target.rows.view().substr(row_starts_[begin], row_starts_[end] - row_starts_[begin]);
  const TargetPlan& plan = *target.plan;
  if (goes_by_array(plan)) {
    if (arrays_.empty()) arrays_.resize(1);
    std::vector<ParameterStatement> statements;
    if (roll_back_) statements.push_back({"ROLLBACK TO SAVEPOINT piece", {}, {}});
    statements.push_back(plan.insert(rows, end - begin, arrays_[0]));
    statements.push_back({"RELEASE SAVEPOINT piece", {}, {}});
    statements.push_back({"SAVEPOINT piece", {}, {}});
    co_return co_await link.pipeline(statements);
  }
  const CopyRows copies[] = {{rows}};
  // Checked before, so that it is the table that is blamed; and behind it, as COPY's lock keeps the
  // columns from then on. LOCK TABLE would ask for more than the permission to insert.
  co_return co_await link.exchange(
      fmt::format("{0}{1}SELECT {2}; {3}; SELECT {2}; RELEASE SAVEPOINT piece; SAVEPOINT piece",
                  tag_, roll_back_ ? "ROLLBACK TO SAVEPOINT piece; " : "", plan.check_sql(),
                  plan.copy_sql(end - begin)),
      copies);
}

}  // namespace hub::storage
