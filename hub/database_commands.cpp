#include "hub/database_commands.h"

#include <fmt/format.h>

#include <stdexcept>

#include "hub/hub_database.h"
#include "storage/migration.h"

namespace hub {
namespace {

int init(const Config& config, std::ostream& out) {
  const auto database = HubDatabase::for_tools(config);
  const auto applied = storage::apply_migrations(database.url());
  for (const auto& name : applied) out << "applied " << name << '\n';
  if (applied.empty()) out << "nothing to do: " << database.shown_url() << " is up to date\n";
  return kSuccess;
}

int status(const Config& config, std::ostream& out) {
  const auto database = HubDatabase::for_tools(config);
  int result = kSuccess;
  for (const auto& migration : storage::migration_status(database.url())) {
    const auto state = !migration.problem.empty() ? migration.problem
                       : migration.applied_at     ? "applied " + *migration.applied_at
                                              : std::string("missing: iothub db init applies it");
    if (!migration.problem.empty() || !migration.applied_at) result = kFailure;
    out << fmt::format("{:<30} {}\n", migration.name, state);
  }
  return result;
}

int url(const Config& config, std::ostream& out) {
  const auto known = database_url(config);
  if (!known) throw std::runtime_error(no_database_yet(config));
  out << *known << '\n';
  return kSuccess;
}

}  // namespace

int run_database_command(Command command, const Config& config, std::ostream& out) {
  switch (command) {
    case Command::db_init:
      return init(config, out);
    case Command::db_status:
      return status(config, out);
    case Command::db_script:
      out << storage::initialisation_script();
      return kSuccess;
    case Command::db_url:
      return url(config, out);
    default:
      break;
  }
  throw std::logic_error("not a command of iothub db");
}

}  // namespace hub
