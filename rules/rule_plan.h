#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/message.h"
#include "base/table_schema.h"
#include "rules/rule_file.h"

namespace hub::rules {

namespace sql {
struct BoundExpr;
struct BoundQuery;
}  // namespace sql

// Writes one row per message into one table. Immutable.
class DumpAction {
 public:
  // What the evaluator does to an output on its way into the row.
  enum class Form : std::uint8_t {
    value,    // nothing
    json,     // makes it JSON text, as json and jsonb columns take it
    payload,  // it is the whole payload, and must be UTF-8 text
  };
  struct Parts {
    std::size_t index = 0;
    TableSchema table;
    std::vector<Column> columns;
    std::vector<std::string> key;
    OnConflict on_conflict = OnConflict::none;
    const sql::BoundExpr* when = nullptr;
    std::vector<Form> forms;  // of each column; empty when all are `value`
  };
  explicit DumpAction(Parts parts) : parts_(std::move(parts)) {}

  // Counts the dump actions of a rule set from 0: sinks keep what belongs to one in a vector.
  [[nodiscard]] std::size_t index() const { return parts_.index; }
  // "dump climate", for counters and dead letters.
  [[nodiscard]] std::string name() const { return "dump " + parts_.table.name; }
  [[nodiscard]] const TableSchema& table() const { return parts_.table; }
  // What a row has, in the order of its values: the rule's outputs.
  [[nodiscard]] const std::vector<Column>& columns() const { return parts_.columns; }
  // The columns that tell one row from another; empty when the rule does not say.
  [[nodiscard]] const std::vector<std::string>& key() const { return parts_.key; }
  [[nodiscard]] OnConflict on_conflict() const { return parts_.on_conflict; }

  // For the evaluator: the action's condition, or null; and the forms of its columns.
  [[nodiscard]] const sql::BoundExpr* when() const { return parts_.when; }
  [[nodiscard]] const std::vector<Form>& forms() const { return parts_.forms; }

 private:
  Parts parts_;
};

// Text with ${name} in it, the names resolved to outputs.
struct Template {
  struct Part {
    std::string text;                   // comes first
    std::optional<std::size_t> output;  // then this output's value
  };
  std::vector<Part> parts;
};

// Publishes a message made from the outputs. Immutable.
class RepublishAction {
 public:
  struct Parts {
    Template topic;
    std::optional<Template> payload;
    std::optional<Qos> qos;
    bool retain = false;
    const sql::BoundExpr* when = nullptr;
  };
  explicit RepublishAction(Parts parts) : parts_(std::move(parts)) {}

  [[nodiscard]] Qos qos(const MessageView& message) const {
    return parts_.qos.value_or(message.qos);
  }
  [[nodiscard]] bool retain() const { return parts_.retain; }

  // For the evaluator.
  [[nodiscard]] const Template& topic() const { return parts_.topic; }
  [[nodiscard]] const std::optional<Template>& payload() const { return parts_.payload; }
  [[nodiscard]] const sql::BoundExpr* when() const { return parts_.when; }

 private:
  Parts parts_;
};

using Action = std::variant<DumpAction, RepublishAction>;

// One rule, compiled: names resolved, types checked. Immutable; any thread may use it.
class RulePlan {
 public:
  struct Parts {
    std::size_t index = 0;
    std::string name;
    std::string description;
    std::unique_ptr<const sql::BoundQuery> query;
    std::optional<std::size_t> sequence;
    std::vector<Action> actions;
  };
  explicit RulePlan(Parts parts);
  ~RulePlan();
  RulePlan(const RulePlan&) = delete;
  RulePlan& operator=(const RulePlan&) = delete;

  // Counts the rules of a rule set from 0: sinks keep a rule's counters in a vector.
  [[nodiscard]] std::size_t index() const { return parts_.index; }
  [[nodiscard]] const std::string& name() const { return parts_.name; }
  [[nodiscard]] const std::string& description() const { return parts_.description; }
  [[nodiscard]] const std::vector<std::string>& filters() const;
  // Which of a row's values is the number that the device gave its message, if the rule says so.
  [[nodiscard]] std::optional<std::size_t> sequence() const { return parts_.sequence; }
  [[nodiscard]] const std::vector<Action>& actions() const { return parts_.actions; }
  [[nodiscard]] const sql::BoundQuery& query() const { return *parts_.query; }

 private:
  Parts parts_;
};

}  // namespace hub::rules
