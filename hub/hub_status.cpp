#include "hub/hub_status.h"

#include <algorithm>
#include <future>

namespace hub {
namespace {

HubReport::Shard report_of(const ShardPipeline& sink) {
  HubReport::Shard out{sink.report(), {}};
  sink.writer_counters().for_each(
      [&](std::string_view name, std::uint64_t value) { out.writer.emplace_back(name, value); });
  return out;
}

}  // namespace

bool HubReport::healthy() const {
  return std::none_of(shards.begin(), shards.end(),
                      [](const Shard& shard) { return shard.sink.database_away; });
}

std::vector<MessageAccounts::RuleAccount> HubReport::rules() const {
  std::vector<MessageAccounts::RuleAccount> out;
  for (const Shard& shard : shards) {
    for (std::size_t i = 0; i < shard.sink.rules.size(); ++i) {
      const MessageAccounts::RuleAccount& account = shard.sink.rules[i];
      // Shards list the same rules in the same order, but while these are exchanged.
      const auto same = i < out.size() && out[i].rule == account.rule
                            ? out.begin() + static_cast<std::ptrdiff_t>(i)
                            : std::find_if(
                                  out.begin(), out.end(),
                                  [&](const auto& other) { return other.rule == account.rule; });
      if (same != out.end()) {
        *same += account;
      } else {
        out.push_back(account);
      }
    }
  }
  return out;
}

storage::Spooled HubReport::spooled() const {
  storage::Spooled out;
  for (const Shard& shard : shards) {
    out.records += shard.sink.spooled.records;
    out.messages += shard.sink.spooled.messages;
    out.bytes += shard.sink.spooled.bytes;
  }
  return out;
}

HubStatus::HubStatus(std::string hub_id, const storage::Spool* spool)
    : hub_id_(std::move(hub_id)), spool_(spool), started_(std::chrono::steady_clock::now()) {}

void HubStatus::add_sink(OnShard<ShardPipeline> sink) { sinks_.push_back(sink); }

HubReport HubStatus::report() const {
  HubReport out;
  out.hub_id = hub_id_;
  out.uptime_seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_)
          .count();
  std::vector<std::future<HubReport::Shard>> answers;
  for (const OnShard<ShardPipeline>& sink : sinks_) {
    auto promise = std::make_shared<std::promise<HubReport::Shard>>();
    answers.push_back(promise->get_future());
    sink.post([promise](const ShardPipeline& target) { promise->set_value(report_of(target)); });
  }
  for (auto& answer : answers) out.shards.push_back(answer.get());
  out.broker = broker_->totals();
  if (spool_ != nullptr) out.spool = spool_->status();
  return out;
}

}  // namespace hub
