#include "hub/check.h"

#include <optional>
#include <stdexcept>

#include "hub/command_line.h"
#include "hub/hub_database.h"
#include "hub/rule_loading.h"
#include "rules/rule_file.h"
#include "storage/catalogue.h"
#include "storage/migration.h"

namespace hub {
namespace {

void show(const std::vector<rules::Diagnostic>& problems, std::ostream& out) {
  for (const auto& problem : problems) out << rules::to_string(problem) << '\n';
}

// The problems of the files themselves, which need no database to be found.
std::size_t check_files(const Config& config, std::ostream& out) {
  const auto files =
      config.rules.empty() ? rules::default_rules() : rules::load_rules(config.rules);
  show(files.problems, out);
  return files.problems.size();
}

// Certificates, keys and what goes with them, as they are now.
std::size_t check_listeners(const Config& config, std::ostream& out) {
  std::size_t problems = 0;
  for (const Config::Listener& listener : config.listeners) {
    try {
      const broker::FilterFactory filters{listener.options.tls, std::nullopt};
      if (const auto tls = filters.tls()) {
        for (const std::string& warning : tls->warnings()) out << "warning: " << warning << '\n';
      }
    } catch (const std::runtime_error& error) {
      out << listener.stated << ": " << error.what() << '\n';
      ++problems;
    }
  }
  return problems;
}

int verdict(std::size_t problems, const std::string& all_well, std::ostream& out) {
  if (problems == 0) {
    out << all_well << '\n';
    return kSuccess;
  }
  out << problems << (problems == 1 ? " problem\n" : " problems\n");
  return kFailure;
}

}  // namespace

int check(const Config& config, std::ostream& out) {
  std::optional<HubDatabase> database;
  const std::size_t of_listeners = check_listeners(config, out);
  try {
    database = HubDatabase::for_tools(config);
    // What serve does, too: the embedded database is the hub's own to change.
    if (database->is_embedded()) database->bring_schema_up_to_date();
    if (const auto problem = storage::schema_problem(database->url()); !problem.empty()) {
      throw std::runtime_error(problem);
    }
    const auto compiled = load_and_compile(config.rules, storage::PgCatalogue(database->url()));
    show(compiled.problems, out);
    const auto rules = compiled.rules ? compiled.rules->size() : 0;
    return verdict(of_listeners + compiled.problems.size(),
                   "ok: " + std::to_string(rules) + (rules == 1 ? " rule, " : " rules, ") +
                       database->shown_url(),
                   out);
  } catch (const std::runtime_error& error) {
    const auto problems = check_files(config, out);
    out << "database: " << error.what() << '\n';
    return verdict(of_listeners + problems + 1, "", out);
  }
}

}  // namespace hub
