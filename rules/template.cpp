#include "rules/template.h"

#include <fmt/format.h>

#include "rules/diagnostics/diagnostic.h"

namespace hub::rules {

std::optional<Template> parse_template(const std::string& text,
                                       const std::vector<sql::Output>& outputs,
                                       sql::Problems& problems) {
  Template result;
  const std::size_t before = problems.size();
  std::size_t at = 0;
  for (std::size_t open; (open = text.find("${", at)) != std::string::npos;) {
    const std::size_t close = text.find('}', open);
    if (close == std::string::npos) {
      problems.push_back({{static_cast<std::uint32_t>(open), 2},
                          "template.syntax",
                          "this ${ has no end; write ${name}"});
      return std::nullopt;
    }
    Template::Part& part = result.parts.emplace_back();
    part.text = text.substr(at, open - at);
    const std::string name = text.substr(open + 2, close - open - 2);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i].name == name) part.output = i;
    }
    if (!part.output) {
      std::vector<std::string_view> known;
      for (const sql::Output& output : outputs) known.push_back(output.name);
      problems.push_back(
          {{static_cast<std::uint32_t>(open), static_cast<std::uint32_t>(close + 1 - open)},
           "template.unknown_output",
           fmt::format("SELECT has no output {}{}", name, did_you_mean(name, known))});
    }
    at = close + 1;
  }
  if (at < text.size()) result.parts.push_back({text.substr(at), std::nullopt});
  if (problems.size() > before) return std::nullopt;
  return result;
}

}  // namespace hub::rules
