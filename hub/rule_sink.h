#pragma once

#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/shard.h"
#include "broker/publish_sink.h"
#include "hub/rule_counters.h"
#include "rules/action_sink.h"
#include "rules/evaluator.h"
#include "rules/rule_set.h"
#include "storage/batch_writer.h"
#include "storage/connector.h"
#include "storage/pg_batch_writer.h"

namespace hub {

// The row targets of all dump actions, by DumpAction::index(). Shared by all shards.
using RowTargets = std::vector<storage::RowTargetPtr>;
[[nodiscard]] RowTargets make_row_targets(const rules::RuleSet& rules);

// Where broker, rules and storage meet on a shard: runs the rules on what the broker accepts, and
// gives the rows to the shard's writer.
class RuleSink final : public ShardOwned,
                       public broker::PublishSink,
                       private rules::ActionSink,
                       private storage::CommitListener {
 public:
  // connector and listener outlive the sink.
  RuleSink(boost::asio::io_context& io, std::shared_ptr<const rules::RuleSet> rules,
           std::shared_ptr<const RowTargets> targets, storage::Connector& connector,
           storage::PgWriterOptions writer_options, broker::SinkListener& listener);

  // broker::PublishSink
  [[nodiscard]] Route route(std::string_view topic) override;
  [[nodiscard]] bool take(Route route, const MessageView& message,
                          broker::Publisher& publisher) override;
  void acknowledge_after_commit(AckToken token) override;
  void session_state_changed() override;
  void save_session_state(std::string_view client_id, std::string_view state) override;
  void end_of_turn() override;
  [[nodiscard]] bool congested() const noexcept override;
  [[nodiscard]] bool idle() const noexcept override;

  // By RulePlan::index(). Written by the shard, read on any thread.
  [[nodiscard]] const std::vector<RuleCounters>& rule_counters() const noexcept {
    return counters_;
  }
  [[nodiscard]] const storage::WriterCounters& writer_counters() const noexcept {
    return writer_.counters();
  }

 private:
  using Plans = std::vector<const rules::RulePlan*>;

  // rules::ActionSink, while take() runs the rules
  void dump(const rules::RulePlan& rule, const rules::DumpAction& action,
            std::span<const Value> values, const MessageView& message) override;
  void republish(const rules::RulePlan& rule, const rules::RepublishAction& action,
                 std::string_view topic, std::string_view payload,
                 const MessageView& message) override;
  void filtered(const rules::RulePlan& rule, const MessageView& message) override;
  void failed(const rules::RulePlan& rule, rules::RuleFailure failure, std::string_view detail,
              const MessageView& message) override;

  // storage::CommitListener
  void on_batch_closing() override;
  void on_committed(std::span<const AckToken> tokens) override;
  void on_target_fault(const storage::RowTarget& target,
                       const storage::DatabaseFault& fault) override;
  void on_target_usable(const storage::RowTarget& target) override;
  void on_database_unavailable(const storage::DatabaseFault& fault) override;
  void on_database_available() override;

  void dead_letter(const rules::RulePlan& rule, std::string_view action, rules::RuleFailure failure,
                   std::string_view detail, const MessageView& message);

  std::shared_ptr<const rules::RuleSet> rules_;
  std::shared_ptr<const RowTargets> targets_;
  rules::Evaluator evaluator_;
  broker::SinkListener& listener_;
  std::vector<RuleCounters> counters_;
  // The sets of rules that topics were found to match: few, however many topics there are.
  std::map<Plans, std::unique_ptr<const Plans>> routes_;
  storage::PgBatchWriter writer_;

  broker::Publisher* publisher_ = nullptr;  // while take() runs
  bool to_commit_ = false;                  // of the message that take() has
};

}  // namespace hub
