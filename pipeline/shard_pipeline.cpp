#include "pipeline/shard_pipeline.h"

#include <utility>

namespace hub {

ShardPipeline::ShardPipeline(boost::asio::io_context& io, std::shared_ptr<const RulesVersion> rules,
                             storage::Connector& connector, storage::PgWriterOptions writer_options,
                             broker::SinkListener& listener, OutageLog& outages,
                             std::unique_ptr<ShardUsage> usage)
    : OutageReport(writer_options.shard, outages),
      bound_bytes_(static_cast<std::int64_t>(writer_options.limits.held_bytes)),
      listener_(listener),
      usage_(std::move(usage)),
      accounts_(*rules->rules()),
      writer_(io, connector, std::move(writer_options), *this),
      barrier_(writer_, listener),
      runner_(std::move(rules), writer_, accounts_, barrier_),
      booking_(io, writer_, accounts_, usage_.get()) {}

void ShardPipeline::use(std::shared_ptr<const RulesVersion> rules) {
  assert_home();
  runner_.use(std::move(rules));
}

const SinkRoute* ShardPipeline::route(std::string_view topic) { return runner_.route(topic); }

std::uint64_t ShardPipeline::route_version() const noexcept { return runner_.route_version(); }

bool ShardPipeline::take(const SinkRoute& route, const MessageView& message,
                         broker::Publisher& publisher) {
  return runner_.take(route, message, publisher);
}

void ShardPipeline::acknowledge_after_commit(AckToken token) { barrier_.acknowledge_later(token); }
void ShardPipeline::durable_change_waits() { writer_.durable_change_waits(); }
void ShardPipeline::make_durable(const DurableChange& change) { writer_.make_durable(change); }

void ShardPipeline::begin_turn(Timestamp now) {
  if (usage_) usage_->begin_turn(now);
}

// The writer's comes last: it sends the batch that the others have asked for.
void ShardPipeline::end_of_turn() {
  if (usage_) usage_->end_of_turn();
  booking_.end_of_turn();
  writer_.end_of_turn();
}

void ShardPipeline::prepare_stop() { booking_.prepare_stop(); }

std::int64_t ShardPipeline::room_bytes() const noexcept {
  return bound_bytes_ - static_cast<std::int64_t>(writer_.held_bytes());
}

Meter* ShardPipeline::meter() noexcept { return usage_ ? &usage_->meter() : nullptr; }

bool ShardPipeline::idle() const noexcept { return writer_.idle() && booking_.idle(); }

ShardPipeline::Report ShardPipeline::report() const {
  assert_home();
  return {.last_batch = writer_.last_booked(),
          .rules = accounts_.accounts(),
          .republished = runner_.republished(),
          .held_bytes = writer_.held_bytes(),
          .congested = writer_.congested(),
          .database_away = database_away(),
          .spooled = writer_.spooled(),
          .spool_refuses = spool_refuses()};
}

void ShardPipeline::on_batch_closing() {
  listener_.on_batch_closing();
  booking_.book();
}

void ShardPipeline::on_committed(std::span<const AckToken> tokens) {
  barrier_.on_committed(tokens);
}

void ShardPipeline::on_rows(const storage::RowTarget& target, const storage::RowOutcome& outcome) {
  note_rows(target, outcome);
  accounts_.on_rows(target, outcome);
}

void ShardPipeline::on_booked(std::string_view rule, const storage::LedgerCounts& counts) {
  accounts_.on_booked(rule, counts);
}

void ShardPipeline::on_refused(const storage::RowTarget& target, const MessageView& message) {
  accounts_.on_refused(target, message);
}

}  // namespace hub
