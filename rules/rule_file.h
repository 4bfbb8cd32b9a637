#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/message.h"
#include "rules/diagnostics/diagnostic.h"

namespace hub::rules {

// Where each byte of a string of a TOML file stands in that file, through the string's quotes,
// escapes and line continuations.
class SourceText {
 public:
  SourceText() = default;
  // positions[i] is the place of text[i]; positions.back() is the place just past the text.
  SourceText(std::string text, std::vector<SourcePosition> positions);

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] SourcePosition position(std::size_t offset) const;

 private:
  std::string text_;
  std::vector<SourcePosition> positions_;
};

enum class OnConflict : std::uint8_t { none, ignore, update };

// One [[rule.action]] with type = "dump".
struct DumpSource {
  SourcePosition position;
  SourceText table;  // "climate" or "schema.climate"
  std::vector<SourceText> key;
  SourcePosition key_position;
  OnConflict on_conflict = OnConflict::none;
  std::optional<SourceText> when;
};

// One [[rule.action]] with type = "republish".
struct RepublishSource {
  SourcePosition position;
  SourceText topic;                   // a template: "alerts/${device}"
  std::optional<SourceText> payload;  // a template; without it, the outputs as one JSON object
  std::optional<Qos> qos;             // without it, the message's
  bool retain = false;
  std::optional<SourceText> when;
};

using ActionSource = std::variant<DumpSource, RepublishSource>;

// One [[rule]] as written; its SQL is not yet parsed.
struct RuleSource {
  std::string file;
  SourcePosition position;
  std::string name;
  std::string description;
  bool enabled = true;
  SourceText sql;
  std::optional<SourceText> sequence;  // the output that numbers a device's messages
  std::vector<ActionSource> actions;   // in the file's order
};

struct RuleFiles {
  std::vector<RuleSource> rules;     // in the order of the files' names, then of the file
  std::vector<Diagnostic> problems;  // every one, not only the first
};

// Reads one TOML file, or every *.toml of a directory (not of its sub-directories).
[[nodiscard]] RuleFiles load_rules(const std::filesystem::path& path);

// The same for text that is already in memory; `file` names it in diagnostics.
[[nodiscard]] RuleFiles parse_rules(std::string_view toml, const std::string& file);

// The rule that the hub runs when it is given none: rules/default_rules.toml.
[[nodiscard]] std::string_view default_rules_toml();
[[nodiscard]] RuleFiles default_rules();

}  // namespace hub::rules
