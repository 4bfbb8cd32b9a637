#include "hub/rule_sink.h"

#include <utility>

#include "base/log.h"

namespace hub {
namespace {

std::string_view name(rules::RuleFailure failure) {
  switch (failure) {
    case rules::RuleFailure::payload_not_json:
      return "payload_not_json";
    case rules::RuleFailure::evaluation_failed:
      return "evaluation_failed";
    case rules::RuleFailure::value_unfit:
      return "value_unfit";
    case rules::RuleFailure::template_failed:
      return "template_failed";
  }
  return "unknown";
}

storage::OnConflict on_conflict(rules::OnConflict wanted) {
  return wanted == rules::OnConflict::update ? storage::OnConflict::update
                                             : storage::OnConflict::ignore;
}

log::Throttle rule_trouble;

}  // namespace

RowTargets make_row_targets(const rules::RuleSet& rules) {
  RowTargets targets(rules.dump_actions().size());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    for (const rules::Action& action : rules.plan(i).actions()) {
      const auto* dump = std::get_if<rules::DumpAction>(&action);
      if (dump == nullptr) continue;
      storage::RowTarget target;
      target.rule = rules.plan(i).name();
      target.action = dump->name();
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
                   storage::PgWriterOptions writer_options, broker::SinkListener& listener)
    : rules_(std::move(rules)),
      targets_(std::move(targets)),
      evaluator_(rules_),
      listener_(listener),
      counters_(rules_->size()),
      writer_(io, connector, std::move(writer_options), *this) {}

RuleSink::Route RuleSink::route(std::string_view topic) {
  Plans plans = rules_->match(topic);
  if (plans.empty()) return nullptr;
  std::unique_ptr<const Plans>& known = routes_[plans];
  if (!known) known = std::make_unique<const Plans>(std::move(plans));
  return known.get();
}

bool RuleSink::take(Route route, const MessageView& message, broker::Publisher& publisher) {
  const Plans& plans = *static_cast<const Plans*>(route);
  for (const rules::RulePlan* plan : plans) counters_[plan->index()].received.add();
  if (message.qos == Qos::at_most_once && writer_.congested()) {
    for (const rules::RulePlan* plan : plans) counters_[plan->index()].shed.add();
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
  const auto problem = writer_.append((*targets_)[action.index()], values, message);
  if (problem) {
    dead_letter(rule, action.name(), rules::RuleFailure::value_unfit, *problem, message);
    return;
  }
  to_commit_ = true;
  counters_[rule.index()].rows.add();
}

void RuleSink::republish(const rules::RulePlan& rule, const rules::RepublishAction& action,
                         std::string_view topic, std::string_view payload,
                         const MessageView& message) {
  counters_[rule.index()].republished.add();
  publisher_->publish(topic, payload, action.qos(message), action.retain());
}

void RuleSink::filtered(const rules::RulePlan& rule, const MessageView&) {
  counters_[rule.index()].filtered.add();
}

void RuleSink::failed(const rules::RulePlan& rule, rules::RuleFailure failure,
                      std::string_view detail, const MessageView& message) {
  dead_letter(rule, "", failure, detail, message);
}

void RuleSink::dead_letter(const rules::RulePlan& rule, std::string_view action,
                           rules::RuleFailure failure, std::string_view detail,
                           const MessageView& message) {
  counters_[rule.index()].failed.add();
  to_commit_ = true;
  log::line(rule_trouble, log::Level::warning,
            "rule \"{}\": a message of client \"{}\" on {} is a dead letter: {}: {}", rule.name(),
            message.client_id, message.topic, name(failure), detail);
  writer_.append_dead_letter(rule.name(), action, name(failure), detail, message);
}

void RuleSink::acknowledge_after_commit(AckToken token) { writer_.acknowledge_after_commit(token); }
void RuleSink::session_state_changed() { writer_.session_state_changed(); }
void RuleSink::save_session_state(std::string_view client_id, std::string_view state) {
  writer_.save_session_state(client_id, state);
}
void RuleSink::end_of_turn() { writer_.end_of_turn(); }
bool RuleSink::congested() const noexcept { return writer_.congested(); }
bool RuleSink::idle() const noexcept { return writer_.idle(); }

void RuleSink::on_batch_closing() { listener_.on_batch_closing(); }
void RuleSink::on_committed(std::span<const AckToken> tokens) { listener_.on_committed(tokens); }

void RuleSink::on_target_fault(const storage::RowTarget& target,
                               const storage::DatabaseFault& fault) {
  log::error(
      "rule \"{}\": table {}.{} cannot be written, its rows become dead letters until it can: {} "
      "(SQLSTATE {})",
      target.rule, target.schema, target.table, fault.message, fault.sqlstate);
}

void RuleSink::on_target_usable(const storage::RowTarget& target) {
  log::info("rule \"{}\": table {}.{} can be written again", target.rule, target.schema,
            target.table);
}

void RuleSink::on_database_unavailable(const storage::DatabaseFault& fault) {
  log::error("the database is away, acknowledgements wait for it: {}{}{}", fault.message,
             fault.sqlstate.empty() ? "" : " SQLSTATE ", fault.sqlstate);
}

void RuleSink::on_database_available() { log::info("the database is back"); }

}  // namespace hub
