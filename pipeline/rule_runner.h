#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/shard.h"
#include "broker/publish_sink.h"
#include "pipeline/day_allowance.h"
#include "pipeline/message_accounts.h"
#include "pipeline/outage_log.h"
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
// Keeps the shard's part of the ledger on the way.
class RuleSink final : public ShardOwned,
                       public broker::PublishSink,
                       private rules::ActionSink,
                       private storage::CommitListener {
 public:
  // connector, listener, outages and allowance outlive the sink. `meter` names whose usage is
  // counted; empty: nobody's. allowance: null when that has no cap.
  RuleSink(boost::asio::io_context& io, std::shared_ptr<const rules::RuleSet> rules,
           std::shared_ptr<const RowTargets> targets, storage::Connector& connector,
           storage::PgWriterOptions writer_options, broker::SinkListener& listener,
           OutageLog& outages, const std::string& meter, DayAllowance* allowance);

  // broker::PublishSink
  [[nodiscard]] const SinkRoute* route(std::string_view topic) override;
  [[nodiscard]] bool take(const SinkRoute& route, const MessageView& message,
                          broker::Publisher& publisher) override;
  void acknowledge_after_commit(AckToken token) override;
  void durable_change_waits() override;
  void make_durable(const DurableChange& change) override;
  void begin_turn(Timestamp now) override;
  void end_of_turn() override;
  void prepare_stop() override;
  [[nodiscard]] std::int64_t room_bytes() const noexcept override;
  [[nodiscard]] broker::Meter* meter() noexcept override { return meter_ ? &*meter_ : nullptr; }
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
  using Plans = std::vector<const rules::RulePlan*>;
  // The rules that match a topic.
  struct MatchedRules final : SinkRoute {
    explicit MatchedRules(Plans matched) : plans(std::move(matched)) {}
    const Plans plans;
  };
  // What a rule did so far with the message that take() has.
  struct Run {
    bool row = false;
    bool dead_letter = false;
    const void* action = nullptr;  // the last one that acted
  };

  // rules::ActionSink, while take() runs the rules
  void dump(const rules::RulePlan& rule, const rules::DumpAction& action,
            std::span<const Value> values, const MessageView& message) override;
  void republish(const rules::RulePlan& rule, const rules::RepublishAction& action,
                 std::string_view topic, std::string_view payload,
                 const MessageView& message) override;
  void filtered(const rules::RulePlan& rule, const MessageView& message) override;
  void failed(const rules::RulePlan& rule, rules::RuleFailure failure, std::string_view detail,
              const MessageView& message) override;
  void finished(const rules::RulePlan& rule, const MessageView& message) override;

  // storage::CommitListener
  void on_batch_closing() override;
  void on_committed(std::span<const AckToken> tokens) override;
  void on_rows(const storage::RowTarget& target, const storage::RowOutcome& outcome) override;
  void on_booked(std::string_view rule, const storage::LedgerCounts& counts) override;
  void on_refused(const storage::RowTarget& target, const MessageView& message) override;
  void on_target_fault(const storage::RowTarget& target,
                       const storage::DatabaseFault& fault) override;
  void on_target_usable(const storage::RowTarget& target) override;
  void on_database_unavailable(const storage::DatabaseFault& fault) override;
  void on_database_available() override;
  void on_spooling() override;
  void on_spool_drained() override;
  void on_spool_unavailable(const storage::SpoolFault& fault) override;
  void on_spool_available() override;
  void on_spool_lost(std::uint64_t records, std::string_view why) override;

  void dead_letter(const rules::RulePlan& rule, std::string_view action, rules::RuleFailure failure,
                   std::string_view detail, const MessageView& message);
  // The rule's last word on the message.
  void end(const rules::RulePlan& rule, Ending ending);
  void begin_booking();
  // Something waits for a batch of its own.
  [[nodiscard]] bool to_book() const noexcept {
    return ledger_.dirty() || (meter_ && meter_->dirty());
  }
  void book_usage();
  void spend();

  boost::asio::io_context& io_;
  const std::uint32_t shard_;
  const std::int64_t bound_bytes_;
  OutageLog& outages_;
  std::shared_ptr<const rules::RuleSet> rules_;
  std::shared_ptr<const RowTargets> targets_;
  rules::Evaluator evaluator_;
  broker::SinkListener& listener_;
  MessageAccounts ledger_;
  const std::string meter_name_;
  std::optional<broker::Meter> meter_;
  DayAllowance* const allowance_;  // null without meter_
  std::int32_t today_ = 0;
  std::vector<std::vector<std::string>> action_names_;  // by RulePlan::index()
  // The sets of rules that topics were found to match: few, however many topics there are.
  std::map<Plans, std::unique_ptr<const MatchedRules>> routes_;
  storage::PgBatchWriter writer_;
  boost::asio::steady_timer booking_timer_;
  bool booking_due_ = false;  // the timer runs
  bool stopping_ = false;
  bool database_away_ = false;
  bool spool_refuses_ = false;
  std::uint64_t republished_ = 0;

  broker::Publisher* publisher_ = nullptr;  // while take() runs
  bool to_commit_ = false;                  // of the message that take() has
  Run run_;
};

}  // namespace hub
