// The search for the rows of one target that the database refuses: BatchSender::write_apart.
#include <algorithm>

#include "storage/batch_sender.h"
#include "storage/sqlstate.h"

namespace hub::storage {

namespace asio = boost::asio;

namespace {

constexpr std::uint32_t kLoneFailures = 8;  // of a suspect row, before it is taken for a bad one

// Decides how many rows to try next. Knows nothing of SQL.
class Search {
 public:
  explicit Search(std::size_t rows) : rows_(rows), piece_(rows) {}

  [[nodiscard]] bool done() const { return begin_ == rows_; }
  [[nodiscard]] std::size_t begin() const { return begin_; }
  [[nodiscard]] std::size_t end() const { return std::min(begin_ + piece_, rows_); }
  [[nodiscard]] bool one_row() const { return end() - begin_ == 1; }
  [[nodiscard]] bool all_rows() const { return begin_ == 0 && end() == rows_; }

  // Rows [begin, end) are written.
  void accepted() {
    const std::size_t written = end() - begin_;
    good_run_ += written;
    begin_ += written;
    if (begin_ >= bad_end_) {  // no row ahead is known to be bad
      if (!careful_) piece_ = std::max<std::size_t>(1, piece_ * 2);
    } else if (named_) {
      piece_ = 1;
    } else {
      piece_ = std::max<std::size_t>(1, (bad_end_ - begin_) / 2);
    }
    named_ = false;
  }

  // One of several rows is bad; `row` of them (from 0) by the server's account.
  void refused(std::optional<std::size_t> row) {
    const std::size_t tried = end() - begin_;
    bad_end_ = end();
    named_ = row && *row > 0 && *row < tried;
    piece_ = named_ ? *row : row == 0 ? 1 : tried / 2;
  }

  // It took too long: from now on no larger pieces.
  void too_slow() {
    careful_ = true;
    piece_ = std::max<std::size_t>(1, (end() - begin_) / 2);
  }

  // The one row is bad. As many rows as went well before it are expected to go well after it, and
  // as many again: what has to be sent twice stays in proportion.
  void skip_bad_row() {
    ++begin_;
    bad_end_ = 0;
    piece_ = careful_ ? 1 : std::max<std::size_t>(1, 2 * good_run_);
    good_run_ = 0;
  }

 private:
  std::size_t rows_;
  std::size_t begin_ = 0;
  std::size_t piece_;
  std::size_t bad_end_ = 0;   // a row before this one is bad
  std::size_t good_run_ = 0;  // rows written since the last bad one
  bool named_ = false;        // the row after this piece is said to be bad
  bool careful_ = false;
};

void find_row_starts(const TargetRows& target, std::vector<std::size_t>& starts) {
  starts.clear();
  starts.push_back(0);
  for (std::size_t i = 0; i < target.count(); ++i) {
    starts.push_back(starts.back() + row_bytes(target.rows.data() + starts.back()));
  }
}

void refuse(Batch& batch, TargetRows& target, std::size_t row, std::string_view reason,
            const DatabaseFault& fault) {
  const RowTarget& to = target.plan->target();
  batch.refused.add({to.rule, to.action, reason, fault.message, fault.sqlstate},
                    batch.messages.view(target.messages[row]), batch.attempts);
  ++target.outcome.dead_letters;
  batch.note_refused(to, target.messages[row]);
}

// True when the refusal speaks of the table, not of what a row made a trigger do.
// rows_statement: which of the statements sent carried the rows.
bool blames_table(const Refusal& refusal, std::size_t rows_statement) {
  return reaction_to(refusal) == Reaction::target_fault &&
         (refusal.statement != rows_statement || !refusal.has_context);
}

// True when an INSERT may take what COPY cannot bring: into a column of another type, as an
// assignment converts it, or past row-level security.
bool is_of_copy(std::string_view sqlstate) { return sqlstate == "42804" || sqlstate == "0A000"; }

}  // namespace

asio::awaitable<std::optional<DatabaseFault>> BatchSender::write_apart(PgLink& link, Batch& batch,
                                                                       TargetRows& target) {
  target.outcome = {};
  target.fault = {};
  find_row_starts(target, row_starts_);
  std::optional<DatabaseFault> of_copy;
  for (Search search(target.count()); !search.done();) {
    const bool by_array = goes_by_array(*target.plan);
    const std::size_t rows_statement = (roll_back_ ? 1 : 0) + (by_array ? 0 : 1);
    const Answer answer = co_await try_rows(link, target, search.begin(), search.end());
    if (!answer.refusal) {
      const std::size_t rows = search.end() - search.begin();
      const std::uint64_t inserted =
          by_array ? target.plan->inserted(answer.results[rows_statement].get()) : rows;
      target.outcome.committed += inserted;
      target.outcome.duplicates += rows - inserted;
      roll_back_ = false;
      // COPY was refused, and this was not.
      if (by_array && search.all_rows() && target.plan->takes_copy()) target.plan->put_copy_off();
      search.accepted();
      continue;
    }
    roll_back_ = true;
    const Refusal& refusal = *answer.refusal;
    const bool of_table = blames_table(refusal, rows_statement);
    if (of_table && !by_array && is_of_copy(refusal.fault.sqlstate)) {
      of_copy = refusal.fault;
      target.plan->put_copy_off();
      continue;
    }
    if (of_table && search.all_rows()) {
      const DatabaseFault& fault = of_copy ? *of_copy : refusal.fault;
      for (std::size_t row = 0; row < target.count(); ++row) {
        refuse(batch, target, row, "table_unusable", fault);
      }
      batch.unusable_rows += target.count();
      target.fault = fault;
      co_return std::nullopt;
    }
    const Reaction reaction = reaction_to(refusal);
    if (reaction == Reaction::retry) co_return refusal.fault;
    const bool suspect = reaction == Reaction::suspect_row;
    if (!search.one_row()) {
      suspect ? search.too_slow() : search.refused(refusal.copy_row);
      continue;
    }
    if (suspect && ++batch.lone_failures < kLoneFailures) {
      batch.search_rows = true;
      co_return refusal.fault;
    }
    batch.lone_failures = 0;
    refuse(batch, target, search.begin(), "row_refused", refusal.fault);
    ++batch.refused_rows;
    search.skip_bad_row();
  }
  co_return std::nullopt;
}

}  // namespace hub::storage
