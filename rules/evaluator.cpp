#include "rules/evaluator.h"

#include <fmt/format.h>

#include <vector>

#include "base/topic.h"
#include "rules/payload/json_text.h"
#include "rules/sql/interpreter.h"

namespace hub::rules {

class Evaluator::Impl {
 public:
  explicit Impl(std::shared_ptr<const RuleSet> rules)
      : rules_(std::move(rules)), interpreter_(rules_->paths()) {}

  void run(const MessageView& message, std::span<const RulePlan* const> plans, ActionSink& sink) {
    interpreter_.begin_message(message);
    for (const RulePlan* plan : plans) {
      interpreter_.begin_rule(plan->query());
      const bool done = run(message, *plan, sink);
      if (!done) sink.failed(*plan, runtime().failure(), runtime().detail(), message);
    }
  }

 private:
  sql::Runtime& runtime() { return interpreter_.runtime(); }

  // False when the rule failed.
  bool run(const MessageView& message, const RulePlan& plan, ActionSink& sink);
  bool run(const MessageView& message, const RulePlan& plan, const DumpAction& action,
           std::span<const Value> outputs, ActionSink& sink);
  bool run(const MessageView& message, const RulePlan& plan, const RepublishAction& action,
           std::span<const Value> outputs, ActionSink& sink);

  // The condition of an action; true without one.
  bool applies(const sql::BoundExpr* when) { return when == nullptr || interpreter_.holds(*when); }
  bool fits();
  std::string_view topic(const RulePlan& plan, const RepublishAction& action,
                         std::span<const Value> outputs);
  std::string_view payload(const RulePlan& plan, const RepublishAction& action,
                           std::span<const Value> outputs);

  std::shared_ptr<const RuleSet> rules_;
  sql::Interpreter interpreter_;
  std::vector<Value> row_;
};

bool Evaluator::Impl::run(const MessageView& message, const RulePlan& plan, ActionSink& sink) {
  const sql::BoundQuery& query = plan.query();
  if (query.where != nullptr) {
    const bool holds = interpreter_.holds(*query.where);
    if (!fits()) return false;
    if (!holds) {
      sink.filtered(plan, message);
      return true;
    }
  }
  const std::span<const Value> outputs = interpreter_.outputs();
  if (!fits()) return false;
  for (const Action& action : plan.actions()) {
    const bool done = std::visit(
        [&](const auto& kind) {
          const bool holds = applies(kind.when());
          if (!fits()) return false;
          return !holds || run(message, plan, kind, outputs, sink);
        },
        action);
    if (!done) return false;
  }
  sink.finished(plan, message);
  return true;
}

// Nothing has failed, and all computed text is whole.
bool Evaluator::Impl::fits() {
  if (runtime().arena().overflowed()) [[unlikely]] {
    runtime().fail(fmt::format("the rule computes more than {} MiB of text for this message",
                               TextArena::kMaxBytes >> 20));
  }
  return !interpreter_.failed();
}

bool Evaluator::Impl::run(const MessageView& message, const RulePlan& plan,
                          const DumpAction& action, std::span<const Value> outputs,
                          ActionSink& sink) {
  if (action.forms().empty()) {
    sink.dump(plan, action, outputs, message);
    return true;
  }
  row_.assign(outputs.begin(), outputs.end());
  for (std::size_t i = 0; i < row_.size(); ++i) {
    switch (action.forms()[i]) {
      case DumpAction::Form::value:
        break;
      case DumpAction::Form::json:
        row_[i] = interpreter_.json_output(i, action.columns()[i].type == ColumnType::jsonb
                                                  ? sql::Interpreter::JsonUse::stored
                                                  : sql::Interpreter::JsonUse::any);
        break;
      case DumpAction::Form::payload:
        row_[i] = interpreter_.payload_text();
        break;
    }
  }
  if (!fits()) return false;
  sink.dump(plan, action, row_, message);
  return true;
}

bool Evaluator::Impl::run(const MessageView& message, const RulePlan& plan,
                          const RepublishAction& action, std::span<const Value> outputs,
                          ActionSink& sink) {
  const std::string_view to = topic(plan, action, outputs);
  if (!fits()) return false;
  const std::string_view body = payload(plan, action, outputs);
  if (!fits()) return false;
  sink.republish(plan, action, to, body, message);
  return true;
}

std::string_view Evaluator::Impl::topic(const RulePlan& plan, const RepublishAction& action,
                                        std::span<const Value> outputs) {
  TextArena::Builder out(runtime().arena());
  for (const Template::Part& part : action.topic().parts) {
    out.append(part.text);
    if (!part.output) continue;
    const Value& value = outputs[*part.output];
    if (value.is_null()) {
      runtime().fail(RuleFailure::template_failed,
                     fmt::format("the topic needs {}, which is NULL",
                                 plan.query().outputs[*part.output].name));
      return {};
    }
    append_plain(out, value);
  }
  const std::string_view topic = out.finish();
  if (!is_valid_topic_name(topic) || topic.starts_with('$')) {
    runtime().fail(RuleFailure::template_failed,
                   fmt::format("{} is not a topic that a rule may publish to",
                               sql::describe(Value::text(topic))));
  }
  return topic;
}

std::string_view Evaluator::Impl::payload(const RulePlan& plan, const RepublishAction& action,
                                          std::span<const Value> outputs) {
  if (action.payload()) {
    TextArena::Builder out(runtime().arena());
    for (const Template::Part& part : action.payload()->parts) {
      out.append(part.text);
      if (part.output) append_plain(out, outputs[*part.output]);
    }
    return out.finish();
  }
  // Made before the builder, since only one text can be under way.
  row_.resize(outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    row_[i] = interpreter_.json_output(i, sql::Interpreter::JsonUse::any);
  }
  TextArena::Builder out(runtime().arena());
  char before = '{';
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    out.append(before);
    append_json(out, Value::text(plan.query().outputs[i].name));
    out.append(':');
    append_plain(out, row_[i]);
    before = ',';
  }
  if (outputs.empty()) out.append('{');
  out.append('}');
  return out.finish();
}

Evaluator::Evaluator(std::shared_ptr<const RuleSet> rules)
    : impl_(std::make_unique<Impl>(std::move(rules))) {}
Evaluator::~Evaluator() = default;

void Evaluator::run(const MessageView& message, std::span<const RulePlan* const> plans,
                    ActionSink& sink) {
  impl_->run(message, plans, sink);
}

}  // namespace hub::rules
