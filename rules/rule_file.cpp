#include "rules/rule_file.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cerrno>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <system_error>
#include <utility>

#include "rules/source_text.h"

namespace hub::rules {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxNameBytes = 128;

SourcePosition place_of(const toml::source_region& region) {
  return {std::max<std::uint32_t>(1, region.begin.line),
          std::max<std::uint32_t>(1, region.begin.column)};
}
SourcePosition place_of(const toml::node& node) { return place_of(node.source()); }

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return node.is_array_of_tables() ? "tables" : "an array";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or a time";
  }
}

// Reads what one file says. Goes on after each mistake, so that all are reported.
class Reader {
 public:
  Reader(std::string_view text, std::string file, RuleFiles& out)
      : text_(text), file_(std::move(file)), out_(out) {}

  void file() {
    try {
      const toml::table root = toml::parse(text_, file_);
      check_keys(root, {"rule"});
      if (const toml::node* rules = root.get("rule")) {
        for (const toml::table* table : tables(*rules, "rule")) rule(*table);
      }
    } catch (const toml::parse_error& error) {
      report(place_of(error.source()), "toml.syntax", std::string(error.description()));
    }
  }

 private:
  void report(SourcePosition at, std::string code, std::string text) {
    out_.problems.push_back({file_, at, std::move(code), std::move(text)});
  }

  void check_keys(const toml::table& table, std::initializer_list<std::string_view> known) {
    for (const auto& [key, node] : table) {
      if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
      std::string hint = did_you_mean(key.str(), std::span(known.begin(), known.size()));
      if (hint.empty()) hint = fmt::format("; there are {}", fmt::join(known, ", "));
      report(place_of(key.source()), "file.unknown_key",
             fmt::format("there is no key {} here{}", key.str(), hint));
    }
  }

  // The elements of [[name]], or of name = [ { … } ].
  std::vector<const toml::table*> tables(const toml::node& node, std::string_view name) {
    std::vector<const toml::table*> found;
    const toml::array* const array = node.as_array();
    if (array == nullptr) {
      report(place_of(node), "file.wrong_type",
             fmt::format("{0} is {1}; write [[{0}]] for each one", name, kind_of(node)));
      return found;
    }
    for (const toml::node& element : *array) {
      if (const toml::table* table = element.as_table()) {
        found.push_back(table);
      } else {
        report(place_of(element), "file.wrong_type",
               fmt::format("{} consists of tables, and this is {}", name, kind_of(element)));
      }
    }
    return found;
  }

  template <class T>
  const toml::value<T>* value(const toml::table& table, std::string_view key,
                              std::string_view expected) {
    const toml::node* const node = table.get(key);
    if (node == nullptr) return nullptr;
    const toml::value<T>* const found = node->as<T>();
    if (found == nullptr) {
      report(place_of(*node), "file.wrong_type",
             fmt::format("{} must be {}, and this is {}", key, expected, kind_of(*node)));
    }
    return found;
  }

  std::optional<SourceText> text(const toml::table& table, std::string_view key) {
    const auto* const found = value<std::string>(table, key, "a text");
    if (found == nullptr) return std::nullopt;
    return locate(text_, place_of(*found), found->get());
  }

  // A text that has to be there, and to say something.
  std::optional<SourceText> required(const toml::table& table, std::string_view key,
                                     std::string_view what) {
    if (table.get(key) == nullptr) {
      report(place_of(table), "file.missing_key", fmt::format("{} needs {}", what, key));
      return std::nullopt;
    }
    std::optional<SourceText> found = text(table, key);
    if (found && found->text().empty()) {
      report(found->position(0), "file.bad_value", fmt::format("{} is empty", key));
      return std::nullopt;
    }
    return found;
  }

  bool boolean(const toml::table& table, std::string_view key, bool otherwise) {
    const auto* const found = value<bool>(table, key, "true or false");
    return found != nullptr ? found->get() : otherwise;
  }

  void rule(const toml::table& table);
  void action(const toml::table& table, RuleSource& rule);
  void dump(const toml::table& table, RuleSource& rule);
  void republish(const toml::table& table, RuleSource& rule);
  void key(const toml::table& table, DumpSource& dump);
  void on_conflict(const toml::table& table, DumpSource& dump);
  bool name(const toml::table& table, RuleSource& rule);

  std::string_view text_;
  std::string file_;
  RuleFiles& out_;
};

void Reader::rule(const toml::table& table) {
  check_keys(table, {"name", "description", "enabled", "sql", "sequence", "action"});
  RuleSource rule;
  rule.file = file_;
  rule.position = place_of(table);
  const bool named = name(table, rule);
  if (const auto description = text(table, "description")) rule.description = description->text();
  rule.enabled = boolean(table, "enabled", true);
  const std::optional<SourceText> sql = required(table, "sql", "a rule");
  if (sql) rule.sql = *sql;
  rule.sequence = text(table, "sequence");
  if (const toml::node* actions = table.get("action")) {
    for (const toml::table* each : tables(*actions, "rule.action")) action(*each, rule);
  } else {
    report(rule.position, "file.missing_key",
           "a rule needs an action: write [[rule.action]] below it");
  }
  if (named && sql) out_.rules.push_back(std::move(rule));
}

bool Reader::name(const toml::table& table, RuleSource& rule) {
  const std::optional<SourceText> name = required(table, "name", "a rule");
  if (!name) return false;
  rule.name = name->text();
  if (rule.name.size() > kMaxNameBytes) {
    report(name->position(0), "file.bad_value",
           fmt::format("the name has {} bytes; {} are allowed", rule.name.size(), kMaxNameBytes));
    return false;
  }
  const auto same = std::find_if(out_.rules.begin(), out_.rules.end(),
                                 [&](const RuleSource& other) { return other.name == rule.name; });
  if (same == out_.rules.end()) return true;
  report(name->position(0), "file.duplicate_rule",
         fmt::format("there is already a rule {} at {}:{}", rule.name, same->file,
                     same->position.line));
  return false;
}

void Reader::action(const toml::table& table, RuleSource& rule) {
  const std::optional<SourceText> type = required(table, "type", "an action");
  if (!type) return;
  if (type->text() == "dump") {
    dump(table, rule);
  } else if (type->text() == "republish") {
    republish(table, rule);
  } else {
    report(type->position(0), "file.bad_value",
           fmt::format("there is no action {}; there are dump and republish", type->text()));
  }
}

void Reader::dump(const toml::table& table, RuleSource& rule) {
  check_keys(table, {"type", "table", "key", "on_conflict", "when"});
  DumpSource dump;
  dump.position = place_of(table);
  const std::optional<SourceText> name = required(table, "table", "a dump action");
  if (name) dump.table = *name;
  dump.when = text(table, "when");
  key(table, dump);
  on_conflict(table, dump);
  if (name) rule.actions.emplace_back(std::move(dump));
}

void Reader::key(const toml::table& table, DumpSource& dump) {
  const toml::node* const node = table.get("key");
  if (node == nullptr) return;
  const toml::array* const array = node->as_array();
  if (array == nullptr || array->empty()) {
    report(place_of(*node), array == nullptr ? "file.wrong_type" : "file.bad_value",
           "key must be an array of column names, as [\"device\", \"id\"]");
    return;
  }
  for (const toml::node& element : *array) {
    if (const auto* const column = element.as_string()) {
      dump.key.push_back(locate(text_, place_of(element), column->get()));
    } else {
      report(place_of(element), "file.wrong_type",
             fmt::format("key has names of columns, and this is {}", kind_of(element)));
    }
  }
}

void Reader::on_conflict(const toml::table& table, DumpSource& dump) {
  const std::optional<SourceText> word = text(table, "on_conflict");
  if (!word) {
    if (!dump.key.empty()) dump.on_conflict = OnConflict::ignore;
    return;
  }
  if (word->text() == "ignore") {
    dump.on_conflict = OnConflict::ignore;
  } else if (word->text() == "update") {
    dump.on_conflict = OnConflict::update;
  } else {
    report(word->position(0), "file.bad_value",
           fmt::format("on_conflict is \"ignore\" or \"update\", not \"{}\"", word->text()));
    return;
  }
  if (table.get("key") == nullptr) {
    report(word->position(0), "file.missing_key",
           "on_conflict needs key: the columns that tell one row from another");
  }
}

void Reader::republish(const toml::table& table, RuleSource& rule) {
  check_keys(table, {"type", "topic", "payload", "qos", "retain", "when"});
  RepublishSource republish;
  republish.position = place_of(table);
  const std::optional<SourceText> topic = required(table, "topic", "a republish action");
  if (topic) republish.topic = *topic;
  republish.payload = text(table, "payload");
  republish.when = text(table, "when");
  republish.retain = boolean(table, "retain", false);
  if (const auto* const qos = value<std::int64_t>(table, "qos", "0, 1 or 2")) {
    if (qos->get() < 0 || qos->get() > 2) {
      report(place_of(*qos), "file.bad_value", fmt::format("qos is 0, 1 or 2, not {}", qos->get()));
    } else {
      republish.qos = static_cast<Qos>(qos->get());
    }
  }
  if (topic) rule.actions.emplace_back(std::move(republish));
}

// Adds what one file has; problems of the file in the order of their places.
void read_file(std::string_view text, const std::string& file, RuleFiles& out) {
  const auto first = static_cast<std::ptrdiff_t>(out.problems.size());
  if (text.size() > kMaxFileBytes) {
    out.problems.push_back(
        {file,
         {},
         "file.too_large",
         fmt::format("the file has {} bytes; {} are allowed", text.size(), kMaxFileBytes)});
    return;
  }
  Reader(text, file, out).file();
  std::sort(out.problems.begin() + first, out.problems.end(), stands_before);
}

void load_file(const std::filesystem::path& path, RuleFiles& out) {
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in.is_open() || in.bad()) {
    out.problems.push_back(
        {path.string(),
         {},
         "file.unreadable",
         fmt::format("cannot read {}: {}", path.string(), std::generic_category().message(errno))});
    return;
  }
  read_file(text, path.string(), out);
}

}  // namespace

RuleFiles parse_rules(std::string_view toml, const std::string& file) {
  RuleFiles out;
  read_file(toml, file, out);
  return out;
}

RuleFiles load_rules(const std::filesystem::path& path) {
  RuleFiles out;
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    load_file(path, out);
    return out;
  }
  std::vector<std::filesystem::path> files;
  for (std::filesystem::directory_iterator at(path, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().extension() == ".toml") files.push_back(at->path());
  }
  if (error) {
    out.problems.push_back({path.string(),
                            {},
                            "file.unreadable",
                            fmt::format("cannot read {}: {}", path.string(), error.message())});
    return out;
  }
  if (files.empty()) {
    out.problems.push_back({path.string(),
                            {},
                            "file.no_rules",
                            fmt::format("there is no *.toml in {}", path.string())});
  }
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) load_file(file, out);
  return out;
}

}  // namespace hub::rules
