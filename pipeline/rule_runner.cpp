#include "pipeline/rule_runner.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>
#include <variant>

#include "base/log.h"
#include "pipeline/action_names.h"
#include "pipeline/failure_names.h"

namespace hub {
namespace {

storage::OnConflict on_conflict(rules::OnConflict wanted) {
  return wanted == rules::OnConflict::update ? storage::OnConflict::update
                                             : storage::OnConflict::ignore;
}

// How long the ledger's devices wait to be booked.
constexpr std::chrono::seconds kBookingInterval{5};

log::Throttle rule_trouble;

// Which of the rule's actions that is.
std::size_t number_of(const rules::RulePlan& rule, const void* action) {
  const auto found =
      std::find_if(rule.actions().begin(), rule.actions().end(), [action](const auto& candidate) {
        return std::visit([](const auto& kind) -> const void* { return &kind; }, candidate) ==
               action;
      });
  return static_cast<std::size_t>(found - rule.actions().begin());
}

}  // namespace

RowTargets make_row_targets(const rules::RuleSet& rules) {
  RowTargets targets(rules.dump_actions().size());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const std::vector<std::string> names = action_names(rules.plan(i));
    for (std::size_t j = 0; j < names.size(); ++j) {
      const auto* dump = std::get_if<rules::DumpAction>(&rules.plan(i).actions()[j]);
      if (dump == nullptr) continue;
      storage::RowTarget target;
      target.rule = rules.plan(i).name();
      target.action = names[j];
      target.schema = dump->table().schema;
      target.table = dump->table().name;
      target.columns = dump->columns();
      target.key = dump->key();
      target.on_conflict = on_conflict(dump->on_conflict());
      targets[dump->index()] = std::make_shared<const storage::RowTarget>(std::move(target));
    }
  }
  return targets;
}

RuleSink::RuleSink(boost::asio::io_context& io, std::shared_ptr<const rules::RuleSet> rules,
                   std::shared_ptr<const RowTargets> targets, storage::Connector& connector,
                   storage::PgWriterOptions writer_options, broker::SinkListener& listener,
                   OutageLog& outages, const std::string& meter, DayAllowance* allowance)
    : io_(io),
      shard_(writer_options.shard),
      bound_bytes_(static_cast<std::int64_t>(writer_options.limits.held_bytes)),
      outages_(outages),
      rules_(std::move(rules)),
      targets_(std::move(targets)),
      evaluator_(rules_),
      listener_(listener),
      ledger_(*rules_),
      meter_name_(meter),
      allowance_(allowance),
      writer_(io, connector, std::move(writer_options), *this),
      booking_timer_(io) {
  for (std::size_t i = 0; i < rules_->size(); ++i) {
    action_names_.push_back(action_names(rules_->plan(i)));
  }
  if (!meter_name_.empty()) meter_.emplace();
  begin_turn(std::chrono::time_point_cast<Timestamp::duration>(std::chrono::system_clock::now()));
}

const SinkRoute* RuleSink::route(std::string_view topic) {
  Plans plans = rules_->match(topic);
  if (plans.empty()) return nullptr;
  std::unique_ptr<const MatchedRules>& known = routes_[plans];
  if (!known) known = std::make_unique<const MatchedRules>(std::move(plans));
  return known.get();
}

bool RuleSink::take(const SinkRoute& route, const MessageView& message,
                    broker::Publisher& publisher) {
  const Plans& plans = static_cast<const MatchedRules&>(route).plans;
  ledger_.begin_message(message.client_id);
  for (const rules::RulePlan* plan : plans) ledger_.received(*plan);
  if (message.qos == Qos::at_most_once && writer_.congested()) {
    for (const rules::RulePlan* plan : plans) ledger_.ended(*plan, Ending::shed_storage_full);
    return false;
  }
  publisher_ = &publisher;
  to_commit_ = false;
  evaluator_.run(message, plans, *this);
  publisher_ = nullptr;
  return to_commit_;
}

void RuleSink::dump(const rules::RulePlan& rule, const rules::DumpAction& action,
                    std::span<const Value> values, const MessageView& message) {
  const storage::RowTargetPtr& target = (*targets_)[action.index()];
  run_.action = &action;
  if (const auto sequence = rule.sequence()) {
    const Value& number = values[*sequence];
    if (number.kind() == Value::Kind::integer) ledger_.seen(rule, number.as_integer());
  }
  const auto problem = writer_.append(target, values, message);
  if (problem) {
    dead_letter(rule, target->action, rules::RuleFailure::value_unfit, *problem, message);
    return;
  }
  to_commit_ = true;
  run_.row = true;
}

void RuleSink::republish(const rules::RulePlan&, const rules::RepublishAction& action,
                         std::string_view topic, std::string_view payload,
                         const MessageView& message) {
  ++republished_;
  run_.action = &action;
  publisher_->publish(topic, payload, action.qos(message), action.retain());
}

void RuleSink::filtered(const rules::RulePlan& rule, const MessageView&) {
  end(rule, Ending::filtered);
}

void RuleSink::finished(const rules::RulePlan& rule, const MessageView&) {
  end(rule, run_.dead_letter ? Ending::dead_lettered
            : run_.row       ? Ending::stored
                             : Ending::nothing_to_store);
}

void RuleSink::end(const rules::RulePlan& rule, Ending ending) {
  ledger_.ended(rule, ending);
  run_ = {};
}

void RuleSink::failed(const rules::RulePlan& rule, rules::RuleFailure failure,
                      std::string_view detail, const MessageView& message) {
  // What is done already is not to be done again when the dead letter is replayed.
  std::string action;
  if (run_.action != nullptr) {
    action = "after " + action_names_[rule.index()][number_of(rule, run_.action)];
  }
  dead_letter(rule, action, failure, detail, message);
  end(rule, Ending::dead_lettered);
}

void RuleSink::dead_letter(const rules::RulePlan& rule, std::string_view action,
                           rules::RuleFailure failure, std::string_view detail,
                           const MessageView& message) {
  to_commit_ = true;
  run_.dead_letter = true;
  log::line(rule_trouble, log::Level::warning,
            "rule \"{}\": a message of client \"{}\" on {} is a dead letter: {}: {}", rule.name(),
            message.client_id, message.topic, name_of(failure), detail);
  writer_.append_dead_letter(rule.name(), action, name_of(failure), detail, message);
}

void RuleSink::acknowledge_after_commit(AckToken token) { writer_.acknowledge_after_commit(token); }
void RuleSink::durable_change_waits() { writer_.durable_change_waits(); }
void RuleSink::make_durable(const DurableChange& change) { writer_.make_durable(change); }

void RuleSink::begin_turn(Timestamp now) {
  if (!meter_) return;
  today_ = bill_day(now);
  meter_->set_day(today_);
  spend();
}

// Before a turn, as other shards have spent and midnight may have passed; after it, for these.
void RuleSink::spend() {
  if (allowance_ != nullptr) meter_->set_left(allowance_->spend(today_, meter_->counted_since()));
}

void RuleSink::end_of_turn() {
  spend();
  if (to_book()) {
    if (stopping_ || ledger_.many_dirty()) {
      begin_booking();
    } else if (!booking_due_) {
      booking_due_ = true;
      booking_timer_.expires_after(kBookingInterval);
      booking_timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        booking_due_ = false;
        begin_booking();
        writer_.end_of_turn();
      });
    }
  }
  writer_.end_of_turn();
}

// Nothing comes after this that could wait for the timer.
void RuleSink::prepare_stop() { stopping_ = true; }

void RuleSink::begin_booking() {
  ledger_.begin_booking();
  writer_.ledger_changed();
}

std::int64_t RuleSink::room_bytes() const noexcept {
  return bound_bytes_ - static_cast<std::int64_t>(writer_.held_bytes());
}
bool RuleSink::idle() const noexcept { return writer_.idle() && !(stopping_ && to_book()); }

void RuleSink::on_batch_closing() {
  listener_.on_batch_closing();
  ledger_.book(writer_);
  if (meter_) book_usage();
  if (ledger_.booked_up() && !(meter_ && meter_->any_device())) return;
  // The rest goes with the batches that follow this one.
  boost::asio::post(io_, [this] {
    writer_.ledger_changed();
    writer_.end_of_turn();
  });
}

void RuleSink::book_usage() {
  meter_->take_messages([this](std::int64_t units, std::int64_t messages) {
    writer_.add_usage(meter_name_, units, messages);
  });
  meter_->take_devices(MessageAccounts::kDevicesPerBatch,
                       [this](std::int32_t day, const std::string& device) {
                         writer_.add_active_device(meter_name_, day, device);
                       });
}

void RuleSink::on_rows(const storage::RowTarget& target, const storage::RowOutcome& outcome) {
  ledger_.on_rows(target, outcome);
}

void RuleSink::on_booked(std::string_view rule, const storage::LedgerCounts& counts) {
  ledger_.on_booked(rule, counts);
}

void RuleSink::on_refused(const storage::RowTarget& target, const MessageView& message) {
  ledger_.on_refused(target, message);
}

RuleSink::Report RuleSink::report() const {
  assert_home();
  return {writer_.last_booked(), ledger_.accounts(), republished_,      writer_.held_bytes(),
          writer_.congested(),   database_away_,     writer_.spooled(), spool_refuses_};
}

void RuleSink::on_committed(std::span<const AckToken> tokens) { listener_.on_committed(tokens); }

void RuleSink::on_target_fault(const storage::RowTarget& target,
                               const storage::DatabaseFault& fault) {
  outages_.target_fault(shard_, target, fault);
}

void RuleSink::on_target_usable(const storage::RowTarget& target) {
  outages_.target_usable(shard_, target);
}

void RuleSink::on_database_unavailable(const storage::DatabaseFault& fault) {
  database_away_ = true;
  outages_.unavailable(shard_, fault);
}

void RuleSink::on_database_available() {
  database_away_ = false;
  outages_.available(shard_);
}

void RuleSink::on_spooling() { outages_.spooling(shard_); }
void RuleSink::on_spool_drained() { outages_.spool_drained(shard_); }

void RuleSink::on_spool_unavailable(const storage::SpoolFault& fault) {
  spool_refuses_ = true;
  outages_.spool_unavailable(shard_, fault);
}

void RuleSink::on_spool_available() {
  spool_refuses_ = false;
  outages_.spool_available(shard_);
}

void RuleSink::on_spool_lost(std::uint64_t records, std::string_view why) {
  outages_.spool_lost(records, why);
}

}  // namespace hub
