#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/shard.h"
#include "broker/broker.h"
#include "pipeline/shard_pipeline.h"
#include "storage/spool.h"

namespace hub {

// What a running hub says of itself, at one moment of each shard.
struct HubReport {
  struct Shard {
    ShardPipeline::Report sink;
    // Of storage::WriterCounters: name and value.
    std::vector<std::pair<std::string_view, std::uint64_t>> writer;
  };

  std::string hub_id;  // as in iothub.writer
  std::int64_t uptime_seconds = 0;
  broker::Broker::Totals broker;
  std::vector<Shard> shards;
  std::optional<storage::SpoolStatus> spool;  // if the hub has one

  // No shard finds the database away.
  [[nodiscard]] bool healthy() const;
  // What waits in the spool, of all shards.
  [[nodiscard]] storage::Spooled spooled() const;
  // The rules of all shards, summed by name: while rules are exchanged, shards differ.
  [[nodiscard]] std::vector<MessageAccounts::RuleAccount> rules() const;
};

// Asks the shards for reports. Any thread that is none of theirs.
class HubStatus {
 public:
  // spool: null, or outlives every report.
  explicit HubStatus(std::string hub_id, const storage::Spool* spool = nullptr);

  // While the broker is being made: the shards' sinks, in their order.
  void add_sink(OnShard<ShardPipeline> sink);
  // Before the first report; the broker and its sinks outlive every report.
  void set_broker(const broker::Broker& broker) { broker_ = &broker; }

  [[nodiscard]] HubReport report() const;

 private:
  std::string hub_id_;
  const storage::Spool* spool_;
  std::chrono::steady_clock::time_point started_;
  const broker::Broker* broker_ = nullptr;
  std::vector<OnShard<ShardPipeline>> sinks_;
};

}  // namespace hub
