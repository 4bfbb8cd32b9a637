#include "storage/writer_core.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "storage/sqlstate.h"

namespace hub::storage {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kReadAgain{1};

void count_committed(const Batch& batch, WriterCounters& counters) {
  if (!batch.nothing_to_write()) counters.batches.add();
  counters.row_bytes.add(batch.row_bytes());
  counters.session_states.add(batch.session_changes.count());
  counters.dead_letters_by_rule.add(batch.dead_letters.count());
  counters.dead_letters_row_refused.add(batch.refused_rows);
  counters.dead_letters_table_unusable.add(batch.unusable_rows);
  for (const TargetRows& target : batch.targets()) {
    counters.rows.add(target.outcome.committed);
    counters.duplicates.add(target.outcome.duplicates);
  }
}

// Tells when a table can be written no more, or again.
void note_usability(const TargetRows& rows, Delivery& delivery) {
  TargetPlan& plan = *rows.plan;
  const bool accepted = rows.outcome.dead_letters < rows.count();
  if (!rows.fault.sqlstate.empty() && !plan.faulted) {
    plan.faulted = true;
    delivery.tell([target = plan.target_ptr(), fault = rows.fault](CommitListener& listener) {
      listener.on_target_fault(*target, fault);
    });
  } else if (plan.faulted && accepted) {
    plan.faulted = false;
    delivery.tell([target = plan.target_ptr()](CommitListener& listener) {
      listener.on_target_usable(*target);
    });
  }
}

}  // namespace

PgBatchWriter::Impl::Impl(asio::io_context& io, Connector& connector, PgWriterOptions options,
                          CommitListener& listener)
    : io_(io),
      options_(std::move(options)),
      plans_(pool_),
      held_(options_.limits.held_bytes),
      open_(listener, pool_, plans_, held_, options_.limits, options_.shard),
      pending_(open_),
      delivery_(io, listener, pool_, held_, counters_, [this] { return shared_from_this(); }),
      sender_(options_, counters_),
      wake_(io),
      availability_(options_, delivery_),
      link_(io, connector, sender_, availability_, wake_, counters_) {
  if (options_.spool == nullptr) return;
  spooling_ = std::make_unique<Spooling>(
      Spooling::Parts{io_, options_, counters_, pool_, plans_, pending_, delivery_, sender_, wake_},
      [this] { return shared_from_this(); });
}

void PgBatchWriter::Impl::start() {
  asio::co_spawn(
      io_, [self = shared_from_this()] { return run(self); },
      [](const std::exception_ptr& error) {
        if (error) std::rethrow_exception(error);
      });
}

void PgBatchWriter::Impl::stop() {
  delivery_.stop();
  link_.stop();
  if (spooling_) spooling_->stop();
  wake_.stop();
}

void PgBatchWriter::Impl::acknowledge_after_commit(AckToken token) {
  if (Batch* const batch = pending_.last()) {
    batch->tokens.push_back(token);
    held_.hold(*batch, sizeof token);
  } else {
    delivery_.tell_token(token);
  }
}

void PgBatchWriter::Impl::end_of_turn() {
  if (open_.empty()) return;
  if (pending_.open_is_next()) wake_.wake();  // it goes at once, if there is a link
  pending_.close_full();
  if (spooling_) spooling_->on_pending(availability_.trouble_since());
}

asio::awaitable<void> PgBatchWriter::Impl::run(std::shared_ptr<Impl> self) {
  while (!self->wake_.stopped()) {
    std::optional<DatabaseFault> lost;
    try {
      if (!self->link_.up()) co_await self->connect();
      if (self->link_.up()) co_await self->send_next();
    } catch (const LinkLost& error) {
      lost = error.fault();
    }
    if (lost) self->on_link_lost(*lost);
  }
  self->link_.drop();
}

asio::awaitable<void> PgBatchWriter::Impl::connect() {
  const std::optional<std::uint64_t> last_batch = co_await link_.connect();
  if (!last_batch) co_return;
  sender_.number_from(*last_batch + 1);
  if (spooling_) spooling_->in_database(*last_batch);
  const Batch* const in_doubt = pending_.sending.get();
  if (in_doubt != nullptr && in_doubt->number != 0 && in_doubt->number == *last_batch) {
    // Its COMMIT was done, and only the answer lost: it must not be sent again.
    counters_.commits_confirmed.add();
    finish_sending();
  } else if (in_doubt == nullptr && pending_.open_is_next()) {
    availability_.on_success();
  }
}

asio::awaitable<void> PgBatchWriter::Impl::send_next() {
  if (!pending_.sending) co_await begin_sending();
  if (wake_.stopped()) co_return;
  Batch& batch = *pending_.sending;
  if (!batch.nothing_to_write()) {
    if (batch.attempts > 0) counters_.batch_retries.add();
    if (auto fault = co_await sender_.send(*link_, batch)) {
      if (spoils_connection(fault->sqlstate)) link_.drop();
      availability_.on_trouble(*std::move(fault));
      co_await wake_.pause(availability_.next_pause());
      co_return;
    }
  }
  finish_sending();
}

asio::awaitable<void> PgBatchWriter::Impl::begin_sending() {
  while (!pending_.sending && !wake_.stopped()) {
    if (spooling_ && !spooling_->empty()) {
      // What is in the spool was appended before all that is here.
      pending_.sending = spooling_->take();
      if (!pending_.sending && !spooling_->empty()) {
        co_await wake_.wait(asio::steady_timer::clock_type::now() + kReadAgain);
      }
    } else {
      pending_.sending = pending_.take_first();
      if (!pending_.sending) co_await wake_.wait();
    }
  }
}

void PgBatchWriter::Impl::on_link_lost(const DatabaseFault& fault) {
  if (wake_.stopped()) {
    link_.drop();
    return;
  }
  // The batch under way may have committed or not, for all that can be known here: it stays as it
  // is, with its number, until the next link has claimed the writer and connect() sees which.
  if (pending_.sending && pending_.sending->number != 0) counters_.commits_in_doubt.add();
  link_.lost(fault);
}

void PgBatchWriter::Impl::finish_sending() {
  std::unique_ptr<Batch> sent = std::move(pending_.sending);
  const Batch& batch = *sent;
  if (!batch.nothing_to_write()) availability_.on_success();
  count_committed(batch, counters_);
  for (const TargetRows& target : batch.targets()) note_usability(target, delivery_);
  delivery_.tell_committed(std::move(sent));  // by a handler of its own: `batch` is still there
  if (spooling_) spooling_->on_commit(batch, availability_.trouble_since());
}

}  // namespace hub::storage
