#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "base/topic.h"
#include "rules/column_fit.h"
#include "rules/payload/payload_paths.h"
#include "rules/rule_set.h"
#include "rules/sql/binder.h"
#include "rules/sql/parser.h"
#include "rules/template.h"

namespace hub::rules {
namespace {

// Compiles one rule; reports what is wrong with it.
class RuleCompiler {
 public:
  RuleCompiler(const RuleSource& source, const Catalogue& catalogue, PayloadPaths& paths,
               std::size_t& dump_actions, std::vector<Diagnostic>& problems)
      : source_(source),
        catalogue_(catalogue),
        paths_(paths),
        dump_actions_(dump_actions),
        problems_(problems) {}

  // Null when there is a problem.
  std::unique_ptr<const RulePlan> compile(std::size_t index) {
    const std::size_t before = problems_.size();
    sql::Problems problems;
    const sql::Query parsed = sql::parse_query(source_.sql.text(), problems);
    if (problems.empty()) {
      query_ = std::make_unique<sql::BoundQuery>();
      sql::bind_query(parsed, source_.sql.text(), paths_, *query_, problems);
      bound_ = problems.empty();
    }
    report(source_.sql, problems);
    if (query_ == nullptr) return nullptr;
    for (const ActionSource& action : source_.actions) {
      std::visit([&](const auto& kind) { compile_action(kind); }, action);
    }
    const std::optional<std::size_t> sequence = find_sequence();
    if (problems_.size() > before) return nullptr;
    return std::make_unique<RulePlan>(RulePlan::Parts{index, source_.name, source_.description,
                                                      std::move(query_), sequence,
                                                      std::move(actions_)});
  }

 private:
  void report(SourcePosition at, std::string code, std::string text) {
    problems_.push_back({source_.file, at, std::move(code), std::move(text)});
  }
  void report(const SourceText& text, const sql::Problems& problems) {
    for (const sql::Problem& problem : problems) {
      report(text.position(problem.span.offset), problem.code, problem.text);
    }
  }

  const sql::BoundExpr* condition(const std::optional<SourceText>& when) {
    if (!when) return nullptr;
    sql::Problems problems;
    const sql::BoundExpr* bound = nullptr;
    if (const sql::ExprPtr parsed = sql::parse_expression(when->text(), problems)) {
      bound = sql::bind_condition(*parsed, when->text(), paths_, *query_, problems);
    }
    report(*when, problems);
    return bound;
  }

  std::optional<std::size_t> find_sequence();
  std::optional<std::size_t> find_output(const SourceText& name, std::string_view code);

  void compile_action(const DumpSource& source);
  void check_output(const sql::Output& output, const TableSchema& table, DumpAction::Parts& parts);
  void check_missing(const DumpSource& source, const TableSchema& table);
  void check_key(const DumpSource& source, const TableSchema& table, DumpAction::Parts& parts);

  void compile_action(const RepublishSource& source);
  std::optional<Template> compile_template(const SourceText& text);
  void check_topic(const SourceText& text, const Template& topic);

  const RuleSource& source_;
  const Catalogue& catalogue_;
  PayloadPaths& paths_;
  std::size_t& dump_actions_;
  std::vector<Diagnostic>& problems_;
  std::unique_ptr<sql::BoundQuery> query_;
  bool bound_ = false;
  std::vector<Action> actions_;
};

// Which output has that name; reports its absence.
std::optional<std::size_t> RuleCompiler::find_output(const SourceText& name,
                                                     std::string_view code) {
  const auto& outputs = query_->outputs;
  const auto found = std::find_if(outputs.begin(), outputs.end(), [&](const sql::Output& output) {
    return output.name == name.text();
  });
  if (found != outputs.end()) return static_cast<std::size_t>(found - outputs.begin());
  std::vector<std::string_view> known;
  for (const sql::Output& output : outputs) known.push_back(output.name);
  report(name.position(0), std::string(code),
         fmt::format("SELECT has no output {}{}", name.text(), did_you_mean(name.text(), known)));
  return std::nullopt;
}

std::optional<std::size_t> RuleCompiler::find_sequence() {
  if (!source_.sequence) return std::nullopt;
  const SourceText& name = *source_.sequence;
  const bool dumps = std::any_of(
      source_.actions.begin(), source_.actions.end(),
      [](const ActionSource& action) { return std::holds_alternative<DumpSource>(action); });
  if (!dumps) {
    report(name.position(0), "rule.sequence_without_dump",
           "sequence needs a dump action: only what is stored is watched for gaps");
  }
  const auto output = find_output(name, "rule.sequence_not_output");
  if (!output) return std::nullopt;
  if (bound_ && !sql::may_be(query_->outputs[*output].expr->type, sql::Type::integer)) {
    report(name.position(0), "rule.sequence_not_integer",
           fmt::format("{} is never an integer", name.text()));
  }
  return output;
}

void RuleCompiler::compile_action(const DumpSource& source) {
  DumpAction::Parts parts;
  parts.when = condition(source.when);
  parts.on_conflict = source.on_conflict;
  std::optional<TableSchema> table = catalogue_.table(source.table.text());
  if (!table) {
    report(source.table.position(0), "dump.unknown_table", catalogue_.why_not(source.table.text()));
    return;
  }
  for (const sql::Output& output : query_->outputs) check_output(output, *table, parts);
  if (bound_) check_missing(source, *table);
  check_key(source, *table, parts);
  if (std::all_of(parts.forms.begin(), parts.forms.end(),
                  [](DumpAction::Form form) { return form == DumpAction::Form::value; })) {
    parts.forms.clear();
  }
  parts.index = dump_actions_++;
  parts.table = std::move(*table);
  actions_.emplace_back(DumpAction(std::move(parts)));
}

void RuleCompiler::check_output(const sql::Output& output, const TableSchema& table,
                                DumpAction::Parts& parts) {
  const SourcePosition at = source_.sql.position(output.span.offset);
  const auto column =
      std::find_if(table.columns.begin(), table.columns.end(),
                   [&](const Column& candidate) { return candidate.name == output.name; });
  if (column == table.columns.end()) {
    std::vector<std::string_view> known;
    for (const Column& candidate : table.columns) known.push_back(candidate.name);
    report(at, "dump.unknown_column",
           fmt::format("there is no column {} in table {}{}", output.name, table.name,
                       did_you_mean(output.name, known)));
    return;
  }
  if (const auto misfit = column_misfit(*output.expr, *column)) {
    report(at, column->type == ColumnType::other ? "dump.unwritable_type" : "dump.type_never_fits",
           *misfit);
  }
  parts.columns.push_back(*column);
  parts.forms.push_back(form_for(*output.expr, *column));
}

void RuleCompiler::check_missing(const DumpSource& source, const TableSchema& table) {
  for (const Column& column : table.columns) {
    if (!column.not_null || column.has_default) continue;
    const bool given =
        std::any_of(query_->outputs.begin(), query_->outputs.end(),
                    [&](const sql::Output& output) { return output.name == column.name; });
    if (given) continue;
    report(source.table.position(0), "dump.missing_column",
           fmt::format("column {0} of table {1} is NOT NULL and has no default; SELECT a value "
                       "AS {0}",
                       column.name, table.name));
  }
}

void RuleCompiler::check_key(const DumpSource& source, const TableSchema& table,
                             DumpAction::Parts& parts) {
  for (const SourceText& column : source.key) {
    if (find_output(column, "dump.key_not_output")) parts.key.push_back(column.text());
  }
  if (source.key.empty() || parts.key.size() < source.key.size()) return;
  std::vector<std::string> columns = parts.key;
  std::sort(columns.begin(), columns.end());
  if (std::find(table.unique_keys.begin(), table.unique_keys.end(), columns) !=
      table.unique_keys.end()) {
    return;
  }
  const std::string list = fmt::format("({})", fmt::join(parts.key, ", "));
  report(source.key.front().position(0), "dump.key_not_unique",
         fmt::format("table {0} has no unique index on {1}, by which a repeat is known; CREATE "
                     "UNIQUE INDEX ON {0} {1}",
                     table.name, list));
}

void RuleCompiler::compile_action(const RepublishSource& source) {
  RepublishAction::Parts parts;
  parts.when = condition(source.when);
  parts.qos = source.qos;
  parts.retain = source.retain;
  if (auto topic = compile_template(source.topic)) {
    check_topic(source.topic, *topic);
    parts.topic = std::move(*topic);
  }
  if (source.payload) parts.payload = compile_template(*source.payload);
  actions_.emplace_back(RepublishAction(std::move(parts)));
}

std::optional<Template> RuleCompiler::compile_template(const SourceText& text) {
  sql::Problems problems;
  std::optional<Template> result = parse_template(text.text(), query_->outputs, problems);
  report(text, problems);
  return result;
}

// Whether the topic could be valid with some values.
void RuleCompiler::check_topic(const SourceText& text, const Template& topic) {
  std::string sample;
  for (const Template::Part& part : topic.parts) {
    sample += part.text;
    if (part.output) sample += 'x';
  }
  if (is_valid_topic_name(sample) && !sample.starts_with('$')) return;
  report(text.position(0), "template.invalid_topic",
         "a topic has no '+' or '#' and does not begin with '$'");
}

}  // namespace

Compilation compile_rules(std::span<const RuleSource> sources, const Catalogue& catalogue) {
  Compilation result;
  auto paths = std::make_unique<PayloadPaths>();
  std::vector<std::unique_ptr<const RulePlan>> plans;
  std::size_t dump_actions = 0;
  for (const RuleSource& source : sources) {
    if (!source.enabled) continue;
    const auto first = static_cast<std::ptrdiff_t>(result.problems.size());
    auto plan = RuleCompiler(source, catalogue, *paths, dump_actions, result.problems)
                    .compile(plans.size());
    std::sort(result.problems.begin() + first, result.problems.end(), stands_before);
    if (plan != nullptr) plans.push_back(std::move(plan));
  }
  if (result.problems.empty()) {
    result.rules = std::make_shared<RuleSet>(std::move(plans), std::move(paths));
  }
  return result;
}

}  // namespace hub::rules
