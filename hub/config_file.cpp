#include "hub/config_file.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <tuple>

#include "hub/listener_config.h"
#include "rules/diagnostics/diagnostic.h"

namespace hub {
namespace {

namespace fs = std::filesystem;

// A value as the options read it; nothing for what no option takes (arrays, tables, dates).
std::optional<std::string> as_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* boolean = node.as_boolean()) return boolean->get() ? "true" : "false";
  return std::nullopt;
}

bool has_kind(const toml::node& node, ValueKind kind) {
  switch (kind) {
    case ValueKind::text:
      return node.is_string();
    case ValueKind::boolean:
      return node.is_boolean();
    case ValueKind::integer:
      return node.is_integer();
    case ValueKind::integer_or_text:
      return node.is_integer() || node.is_string();
  }
  return false;
}

std::string as_written(const toml::node& node, const ConfigOption& option) {
  const auto text = as_text(node);
  if (text && node.is_string()) return fmt::format("\"{}\"", shown_value(option, *text));
  if (text) return *text;
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  std::ostringstream type;
  type << node.type();
  return fmt::format("({})", type.str());
}

bool is_path(const ConfigOption& option) {
  return option.key == "rules" || option.key == "data_dir";
}

class Reader {
 public:
  Reader(const fs::path& file, LoadedConfig& out) : file_(file), out_(out) {
    for (const auto& option : config_options()) {
      known_.push_back(option.key);
      const auto section = option.section();
      if (!section.empty() &&
          std::find(sections_.begin(), sections_.end(), section) == sections_.end()) {
        sections_.push_back(section);
      }
    }
    sections_.emplace_back("listener");
  }

  void read(const toml::table& table, const std::string& prefix) {
    for (const auto& [key, node] : table) {
      const auto name = prefix + std::string(key.str());
      const bool is_section =
          prefix.empty() && std::find(sections_.begin(), sections_.end(), name) != sections_.end();
      if (name == "listener") {
        read_listeners(node, file_, out_.config.listeners,
                       [this](const toml::source_region& where, const std::string& what) {
                         problem(where, what);
                       });
      } else if (const auto* option = find_config_option(name)) {
        take(*option, node);
      } else if (const auto* inner = node.as_table(); inner != nullptr && is_section) {
        read(*inner, name + ".");
      } else {
        refuse(key.source(), name, node.is_table());
      }
    }
  }

  void problem(const toml::source_region& where, const std::string& text) {
    problems_.emplace_back(where.begin.line, where.begin.column, text);
  }

  // All of them, in the order of the file.
  void report() {
    std::sort(problems_.begin(), problems_.end());
    for (const auto& [line, column, text] : problems_) {
      out_.problems.push_back(fmt::format("{}:{}:{}: {}", file_.string(), line, column, text));
    }
  }

 private:
  void take(const ConfigOption& option, const toml::node& node) {
    const std::string stated = fmt::format("{} = {}", option.key, as_written(node, option));
    const auto& at = node.source().begin;
    out_.stated[option.key] =
        fmt::format("{}:{}:{}: {}", file_.string(), at.line, at.column, stated);
    auto text = as_text(node);
    if (text && has_kind(node, option.kind)) {
      if (is_path(option) && !text->empty()) text = (file_.parent_path() / *text).string();
      if (option.set(out_.config, *text)) return;
    }
    problem(node.source(), fmt::format("{}: expected {}", stated, option.expected));
  }

  void refuse(const toml::source_region& where, const std::string& name, bool is_table) {
    const auto shown = log::escape_control_characters(name);
    const auto& names = is_table ? sections_ : known_;
    const std::vector<std::string_view> known(names.begin(), names.end());
    auto hint = rules::did_you_mean(name, known);
    // The right name at the wrong place.
    const auto inside = std::find_if(known_.begin(), known_.end(), [&](const std::string& key) {
      return key.ends_with("." + name);
    });
    if (hint.empty() && inside != known_.end()) hint = fmt::format("; did you mean {}?", *inside);
    problem(where, fmt::format("there is no {} {}{}", is_table ? "section" : "key", shown, hint));
  }

  const fs::path& file_;
  LoadedConfig& out_;
  std::vector<std::tuple<std::uint32_t, std::uint32_t, std::string>> problems_;
  std::vector<std::string> known_;
  std::vector<std::string> sections_;
};

}  // namespace

void apply_config_file(const fs::path& file, LoadedConfig& out) {
  const auto unreadable = [&](int error) {
    out.problems.push_back(fmt::format("configuration file {}: cannot be read: {}", file.string(),
                                       std::generic_category().message(error)));
  };
  std::error_code ignored;
  if (fs::is_directory(file, ignored)) return unreadable(EISDIR);
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream.is_open() || stream.bad()) return unreadable(errno);
  Reader reader(file, out);
  try {
    reader.read(toml::parse(std::string_view(text.view()), file.string()), "");
  } catch (const toml::parse_error& error) {
    reader.problem(error.source(), std::string(error.description()));
  }
  reader.report();
}

}  // namespace hub
