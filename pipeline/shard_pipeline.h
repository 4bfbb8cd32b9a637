#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/shard.h"
#include "broker/publish_sink.h"
#include "pipeline/ack_barrier.h"
#include "pipeline/booking_schedule.h"
#include "pipeline/message_accounts.h"
#include "pipeline/outage_report.h"
#include "pipeline/rule_runner.h"
#include "pipeline/shard_usage.h"
#include "storage/connector.h"
#include "storage/pg_batch_writer.h"

namespace hub {

// A shard's way from an accepted message to its rows and its acknowledgement: the broker's sink,
// and the wiring of the parts that make it up. It decides nothing itself.
//
//   broker → RuleRunner → PgBatchWriter → COMMIT → AckBarrier → broker
//               └ MessageAccounts, ShardUsage → BookingSchedule → the same batches
//
// Made, used and destroyed on the shard's thread; `io` runs on it, and runs no handler after that.
class ShardPipeline final : public ShardOwned, public broker::PublishSink, private OutageReport {
 public:
  // usage: null when nobody is billed. What is passed by reference outlives the pipeline.
  ShardPipeline(boost::asio::io_context& io, std::shared_ptr<const RulesVersion> rules,
                storage::Connector& connector, storage::PgWriterOptions writer_options,
                broker::SinkListener& listener, OutageLog& outages,
                std::unique_ptr<ShardUsage> usage);

  // Exchanges the rules: from the next message on, that version runs. Rows and dead letters of the
  // version before that are under way reach their tables, and are accounted for under their rules'
  // names. When it throws, nothing has changed.
  // REQUIRES: between two turns of the shard's loop, so by OnShard::post().
  // Nothing in the hub calls it yet: a user cannot reload the rules of a running hub.
  void use(std::shared_ptr<const RulesVersion> rules);

  // broker::PublishSink
  [[nodiscard]] const SinkRoute* route(std::string_view topic) override;
  [[nodiscard]] std::uint64_t route_version() const noexcept override;
  [[nodiscard]] bool take(const SinkRoute& route, const MessageView& message,
                          broker::Publisher& publisher) override;
  void acknowledge_after_commit(AckToken token) override;
  void durable_change_waits() override;
  void make_durable(const DurableChange& change) override;
  void begin_turn(Timestamp now) override;
  void end_of_turn() override;
  void prepare_stop() override;
  [[nodiscard]] std::int64_t room_bytes() const noexcept override;
  [[nodiscard]] Meter* meter() noexcept override;
  [[nodiscard]] bool idle() const noexcept override;

  struct Report {
    std::uint64_t last_batch = 0;  // the last one that the accounts know as booked
    std::vector<MessageAccounts::RuleAccount> rules;
    std::uint64_t republished = 0;
    std::size_t held_bytes = 0;
    bool congested = false;
    bool database_away = false;
    storage::Spooled spooled;  // waits in the spool
    bool spool_refuses = false;
  };
  [[nodiscard]] Report report() const;
  // To be read on any thread.
  [[nodiscard]] const storage::WriterCounters& writer_counters() const noexcept {
    return writer_.counters();
  }

 private:
  // storage::CommitListener, the part that tells of batches
  void on_batch_closing() override;
  void on_committed(std::span<const AckToken> tokens) override;
  void on_rows(const storage::RowTarget& target, const storage::RowOutcome& outcome) override;
  void on_booked(std::string_view rule, const storage::LedgerCounts& counts) override;
  void on_refused(const storage::RowTarget& target, const MessageView& message) override;

  const std::int64_t bound_bytes_;
  broker::SinkListener& listener_;
  const std::unique_ptr<ShardUsage> usage_;
  MessageAccounts accounts_;
  storage::PgBatchWriter writer_;
  AckBarrier barrier_;
  RuleRunner runner_;
  BookingSchedule booking_;
};

}  // namespace hub
