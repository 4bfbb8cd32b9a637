#include "storage/batch_sender.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

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

// The names of the tables that COPY will write, to be locked before their columns are checked.
std::string lock_sql(std::string_view tables) {
  return fmt::format("LOCK TABLE {} IN ROW EXCLUSIVE MODE", tables);
}

}  // namespace

BatchSender::BatchSender(std::string_view hub_id, unsigned shard, WriterCounters& counters)
    : writer_(fmt::format("{}, {}", quote_literal(hub_id), shard)), counters_(counters) {}

asio::awaitable<BatchSender::Claimed> BatchSender::claim(PgLink& link) {
  // Waits a little for what an earlier link has under way; then ends it.
  const std::string sql = fmt::format(
      "SET LOCAL lock_timeout = '1s'; SELECT link, batch FROM iothub.claim_writer({})", writer_);
  Answer answer = co_await link.exchange(sql);
  if (answer.refusal && reaction_to(answer.refusal->fault.sqlstate) != Reaction::target_fault) {
    const Answer ended =
        co_await link.exchange(fmt::format("SELECT iothub.end_stale_batch({})", writer_));
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
  link_number_ = number_at(row, 0);
  co_return Claimed{number_at(row, 1), std::nullopt};
}

std::string BatchSender::mark_sql(const Batch& batch) const {
  return fmt::format("iothub.open_batch({}, {}, {})", writer_, link_number_, batch.number);
}

std::vector<ParameterStatement> BatchSender::parameter_statements(Batch& batch, bool keyed_rows) {
  std::vector<ParameterStatement> out;
  if (keyed_rows) {
    if (arrays_.size() < batch.targets().size()) arrays_.resize(batch.targets().size());
    std::size_t scratch = 0;
    for (const TargetRows& target : batch.targets()) {
      if (!target.plan->keyed()) continue;
      out.push_back(target.plan->insert(target.rows.view(), target.count(), arrays_[scratch++]));
    }
  }
  add_session_statements(batch.session_states, session_arrays_, out);
  return out;
}

asio::awaitable<std::optional<DatabaseFault>> BatchSender::send(PgLink& link, Batch& batch) {
  batch.number = next_batch_++;
  ++batch.attempts;
  const auto targets = batch.targets();
  const bool expects_fault = std::any_of(targets.begin(), targets.end(),
                                         [](const TargetRows& t) { return t.plan->faulted; });
  if (!expects_fault && !batch.search_rows) {
    const auto refusal = co_await send_whole(link, batch);
    if (!refusal) co_return std::nullopt;
    const Reaction reaction = reaction_to(refusal->fault.sqlstate);
    if (reaction == Reaction::suspect_row) batch.search_rows = true;
    if (reaction == Reaction::retry || reaction == Reaction::suspect_row) co_return refusal->fault;
    batch.number = next_batch_++;
  }
  counters_.batches_split.add();
  co_return co_await send_apart(link, batch);
}

asio::awaitable<std::optional<Refusal>> BatchSender::send_whole(PgLink& link, Batch& batch) {
  std::string tables;
  std::string checks;
  std::string copy_statements;
  std::vector<CopyRows> copies;
  for (TargetRows& target : batch.targets()) {
    target.outcome = {target.count(), 0, 0};
    if (target.plan->keyed()) continue;
    tables += fmt::format("{}ONLY {}", tables.empty() ? "" : ", ", target.plan->table());
    checks += ", " + target.plan->check_sql();
    copy_statements += "; " + target.plan->copy_sql(target.count());
    copies.push_back({target.rows.view()});
  }
  if (batch.dead_letters.count() > 0) {
    copy_statements += "; " + std::string(DeadLetters::kCopySql);
    copies.push_back({batch.dead_letters.rows().view()});
  }
  std::string query = "SELECT " + mark_sql(batch) + checks;
  if (!tables.empty()) query = lock_sql(tables) + "; " + query;
  query += copy_statements;

  std::vector<ParameterStatement> statements = parameter_statements(batch, /*keyed_rows=*/true);
  std::size_t first_keyed = 0;  // where the results of the keyed rows begin
  Answer answer;
  if (statements.empty()) {
    answer = co_await link.exchange(std::move(query), copies);
  } else if (copies.empty()) {
    statements.insert(statements.begin(), ParameterStatement{std::move(query), {}, {}});
    first_keyed = 1;
    answer = co_await link.pipeline(statements);
  } else {
    answer = co_await link.exchange("BEGIN; " + query, copies);
    if (!answer.refusal) {
      statements.push_back({"COMMIT", {}, {}});
      answer = co_await link.pipeline(statements);
    }
    if (answer.refusal) co_await link.exchange("ROLLBACK");
  }
  if (answer.refusal) co_return std::move(answer.refusal);
  for (TargetRows& target : batch.targets()) {
    if (!target.plan->keyed()) continue;
    const std::uint64_t inserted = target.plan->inserted(answer.results[first_keyed++].get());
    target.outcome = {inserted, target.count() - inserted, 0};
  }
  co_return std::nullopt;
}

asio::awaitable<std::optional<DatabaseFault>> BatchSender::send_apart(PgLink& link, Batch& batch) {
  batch.refused.clear();
  batch.refused_rows = 0;
  batch.unusable_rows = 0;
  // Deferred constraints are checked with each piece, not only by COMMIT.
  Answer begun = co_await link.exchange(fmt::format(
      "BEGIN; SELECT {}; SET CONSTRAINTS ALL IMMEDIATE; SAVEPOINT piece", mark_sql(batch)));
  std::optional<DatabaseFault> fault;
  if (begun.refusal) fault = begun.refusal->fault;
  roll_back_ = false;
  for (TargetRows& target : batch.targets()) {
    if (fault) break;
    fault = co_await write_apart(link, batch, target);
  }
  if (!fault) {
    const auto refusal = co_await finish_apart(link, batch);
    if (!refusal) co_return std::nullopt;
    fault = refusal->fault;
  }
  co_await link.exchange("ROLLBACK");
  co_return fault;
}

// The end of a batch that was taken apart: dead letters, session states, COMMIT.
asio::awaitable<std::optional<Refusal>> BatchSender::finish_apart(PgLink& link, Batch& batch) {
  std::string query = roll_back_ ? "ROLLBACK TO SAVEPOINT piece; " : "";
  std::vector<CopyRows> copies;
  if (batch.dead_letters.count() + batch.refused.count() > 0) {
    query += std::string(DeadLetters::kCopySql) + "; ";
    copies.push_back({batch.dead_letters.rows().view(), batch.refused.rows().view()});
  }
  std::vector<ParameterStatement> statements = parameter_statements(batch, /*keyed_rows=*/false);
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
  if (plan.keyed()) {
    if (arrays_.empty()) arrays_.resize(1);
    std::vector<ParameterStatement> statements;
    if (roll_back_) statements.push_back({"ROLLBACK TO SAVEPOINT piece", {}, {}});
    statements.push_back(plan.insert(rows, end - begin, arrays_[0]));
    statements.push_back({"RELEASE SAVEPOINT piece", {}, {}});
    statements.push_back({"SAVEPOINT piece", {}, {}});
    co_return co_await link.pipeline(statements);
  }
  const CopyRows copies[] = {{rows}};
  co_return co_await link.exchange(
      fmt::format("{}{}; SELECT {}; {}; RELEASE SAVEPOINT piece; SAVEPOINT piece",
                  roll_back_ ? "ROLLBACK TO SAVEPOINT piece; " : "",
                  lock_sql("ONLY " + plan.table()), plan.check_sql(), plan.copy_sql(end - begin)),
      copies);
}

}  // namespace hub::storage
