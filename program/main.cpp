#include <exception>
#include <iostream>
#include <string_view>

#include "base/log.h"
#include "hub/check.h"
#include "hub/command_line.h"
#include "hub/config.h"
#include "hub/database_commands.h"
#include "hub/dead_letter_command.h"
#include "hub/ledger_command.h"
#include "hub/metrics.h"
#include "hub/serve.h"
#include "manage/manage.h"

namespace {

int run(const hub::CommandLine& line) {
  const auto loaded = hub::load_config(line.sources);
  // What check finds is its answer; to the other commands it is an error.
  auto& report = line.command == hub::Command::check ? std::cout : std::cerr;
  for (const auto& problem : loaded.problems) report << problem << '\n';
  if (!loaded.problems.empty()) return loaded.bad_flag ? hub::kUsageError : hub::kFailure;
  hub::log::set_level(loaded.config.log_level);
  for (const auto& warning : loaded.warnings) hub::log::warning("{}", warning);

  switch (line.command) {
    case hub::Command::serve:
      return hub::serve(loaded.config);
    case hub::Command::check:
      return hub::check(loaded.config, std::cout);
    case hub::Command::db_init:
    case hub::Command::db_status:
    case hub::Command::db_script:
    case hub::Command::db_url:
      return hub::run_database_command(line.command, loaded.config, std::cout);
    case hub::Command::ledger:
      return hub::run_ledger_command(line.ledger, loaded.config, std::cout);
    case hub::Command::deadletter_list:
    case hub::Command::deadletter_show:
    case hub::Command::deadletter_replay:
    case hub::Command::deadletter_drop:
      return hub::run_dead_letter_command(line.command, line.dead_letters, loaded.config,
                                          std::cout);
    case hub::Command::metrics:
      return hub::run_metrics_command(loaded.config, std::cout);
    case hub::Command::tls_init:
      return hub::run_tls_init(line.tls, std::cout);
  }
  return hub::kUsageError;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    if (count > 1 && std::string_view(arguments[1]) == "manage")
      return hub::manage::run(count - 1, arguments + 1);
    const auto parsed = hub::parse_command_line(count, arguments, std::cout, std::cerr);
    if (const auto* status = std::get_if<int>(&parsed)) return *status;
    return run(std::get<hub::CommandLine>(parsed));
  } catch (const hub::UsageError& error) {
    std::cerr << error.what() << '\n';
    return hub::kUsageError;
  } catch (const std::exception& error) {
    std::cerr << "iothub: " << error.what() << '\n';
    return hub::kFailure;
  }
}
