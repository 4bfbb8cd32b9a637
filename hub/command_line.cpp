#include "hub/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <functional>
#include <memory>
#include <optional>

#include "base/log.h"
#include "hub/config_file.h"
#include "hub/config_options.h"
#include "pipeline/failure_names.h"
#include "rules/diagnostics/diagnostic.h"

namespace hub {
namespace {

constexpr const char* kAbout =
    "An MQTT hub in which an acknowledgement means that the row is in the database.";

constexpr const char* kPrecedence =
    "Every option is also a key of the configuration file and a variable of the environment:\n"
    "--mqtt-port 1884 is port = 1884 in [mqtt], and IOTHUB_MQTT_PORT=1884. A flag goes before\n"
    "the environment, that before the file, that before the default.\n";

constexpr const char* kExamples =
    "Examples:\n"
    "  iothub serve                                everything in ./data, MQTT on 127.0.0.1:1883\n"
    "  iothub serve --config /etc/iothub/iothub.toml\n"
    "  iothub check --rules rules/                 is all well? every problem with its place\n"
    "  psql \"$(iothub db url)\"                     look into the hub's own database\n"
    "  iothub db script | psql postgresql://…      prepare a database as its administrator\n"
    "  iothub ledger                               what became of every message, by rule\n"
    "  iothub deadletter replay --rule climate     store what failed, by the rules as they are\n"
    "  iothub tls init                             a private CA, and certificates to begin with\n"
    "  iothub manage --help                        hubs in private networks, for several owners\n"
    "\n";

constexpr const char* kServeExamples =
    "Examples:\n"
    "  iothub serve --rules rules/climate.toml\n"
    "  iothub serve --bind 0.0.0.0 --allow-anonymous      in a network that is trusted\n"
    "  IOTHUB_DATABASE=postgresql://hub:secret@db/iot iothub serve --mqtt-port 0\n";

constexpr const char* kExitStatus =
    "Exit status: 0 all well, 1 a problem was found or the hub failed, 2 a mistake in the call.\n";

constexpr const char* kListExamples =
    "Examples:\n"
    "  iothub deadletter list --rule climate --since '2 hours ago'\n"
    "  iothub deadletter list --reason row_refused --json | jq .payload\n";

constexpr const char* kReplayExamples =
    "Examples:\n"
    "  iothub deadletter replay --rules rules/\n"
    "  iothub deadletter replay --rules rules/ --rule climate --limit 1\n";

constexpr const char* kDropExamples =
    "Examples:\n"
    "  iothub deadletter drop 17 18\n"
    "  iothub deadletter drop --reason payload_not_json --until '30 days ago'\n";

// What the callbacks of one parse fill in.
struct Parsed {
  Command command = Command::serve;
  std::string file;
  std::vector<std::pair<std::string, std::string>> flags;
  LedgerArguments ledger;
  DeadLetterArguments dead_letters;
  TlsInitArguments tls;
};

std::string group_of(const ConfigOption& option) {
  const auto section = option.section();
  return section.empty() ? "Options" : fmt::format("Options of [{}]", section);
}

void add_option(CLI::App& app, const ConfigOption& option, Parsed& parsed) {
  const auto shown_default = option.get(Config{});
  auto help = option.help;
  if (!option.argument.empty() && !shown_default.empty())
    help += fmt::format(" [{}]", shown_default);
  const std::function<void(const std::string&)> take = [&parsed,
                                                        &option](const std::string& value) {
    parsed.flags.emplace_back(option.key, value);
  };
  if (option.argument.empty()) {
    app.add_flag_function(
           option.flag(), [take](std::int64_t count) { take(count > 0 ? "true" : "false"); }, help)
        ->group(group_of(option));
    return;
  }
  app.add_option_function<std::string>(option.flag(), take, help)
      ->type_name(option.argument)
      ->group(group_of(option));
}

void add_config_file(CLI::App& app, Parsed& parsed) {
  app.add_option("--config", parsed.file, "TOML file with the configuration")
      ->type_name("FILE")
      ->group("Options");
}

void add_all_options(CLI::App& app, Parsed& parsed) {
  add_config_file(app, parsed);
  for (const auto& option : config_options()) add_option(app, option, parsed);
}

void add_database_options(CLI::App& app, Parsed& parsed) {
  add_config_file(app, parsed);
  for (const auto* key : {"database", "data_dir", "log_level"}) {
    add_option(app, *find_config_option(key), parsed);
  }
}

CLI::Option* add_text(CLI::App& app, const char* flag, const char* type, const char* help,
                      std::optional<std::string>& target) {
  return app
      .add_option_function<std::string>(
          flag, [&target](const std::string& value) { target = value; }, help)
      ->type_name(type);
}

void add_ledger_command(CLI::App& app, Parsed& parsed) {
  auto* ledger = app.add_subcommand(
      "ledger", "show what became of every message; fails and names the rule if a sum is off");
  auto& arguments = parsed.ledger;
  add_text(*ledger, "--rule", "NAME", "only this rule", arguments.rule);
  add_text(*ledger, "--device", "ID", "of this device (client id)", arguments.device);
  ledger->add_flag("--devices", arguments.devices, "of each device");
  ledger->add_flag("--gaps", arguments.gaps,
                   "the sequence numbers that never arrived, of rules that name a sequence");
  ledger->add_flag("--json", arguments.json, "as JSON");
  add_database_options(*ledger, parsed);
  ledger->callback([&parsed] { parsed.command = Command::ledger; });
  ledger->footer(
      "received = committed + filtered + dead_lettered + nothing_to_store + shed_storage_full\n"
      "+ pending, in messages; rows and duplicates count rows. What is pending only a running\n"
      "hub knows: it is asked through --data-dir. Devices are booked every five seconds.\n"
      "docs/ledger.md has the definitions.\n");
}

// Requires a whole number above 0.
std::int64_t positive(const std::string& name, const std::string& text) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc{} && stop == end && value > 0) return value;
  throw CLI::ValidationError(name + ' ' + text, "expected a whole number above 0");
}

std::string known_reason(const std::string& text) {
  const auto& names = dead_letter_reasons();
  if (std::find(names.begin(), names.end(), text) != names.end()) return text;
  throw CLI::ValidationError("--reason " + text,
                             fmt::format("expected {}", fmt::join(names, ", ")));
}

void add_dead_letter_filter(CLI::App& app, DeadLetterArguments& arguments) {
  add_text(app, "--rule", "NAME", "only of this rule", arguments.rule);
  app.add_option_function<std::string>(
         "--reason",
         [&arguments](const std::string& value) { arguments.reason = known_reason(value); },
         "only with this reason")
      ->type_name("REASON");
  add_text(app, "--client", "ID", "only of this client", arguments.client);
  add_text(app, "--since", "TIME", "received at or after, as '2026-01-31 12:00' or '2 hours ago'",
           arguments.since);
  add_text(app, "--until", "TIME", "received before", arguments.until);
  app.add_option_function<std::string>(
         "--limit",
         [&arguments](const std::string& value) {
           arguments.limit = static_cast<std::uint64_t>(positive("--limit", value));
         },
         "so many at most, the oldest first")
      ->type_name("N");
}

void add_dead_letter_command(CLI::App& app, Parsed& parsed) {
  auto* group = app.add_subcommand("deadletter", "messages that a rule could not store");
  group->require_subcommand(1);
  auto& arguments = parsed.dead_letters;
  const auto add = [&](const char* name, Command command, const char* help,
                       const std::string& examples) {
    auto* sub = group->add_subcommand(name, help);
    sub->footer(examples + (examples.empty() ? "" : "\n") + kExitStatus);
    sub->callback([&parsed, command] { parsed.command = command; });
    sub->add_flag("--json", arguments.json, "as JSON, one object per line");
    return sub;
  };
  const auto add_ids = [&](CLI::App& sub) {
    return sub
        .add_option_function<std::vector<std::string>>(
            "id",
            [&arguments](const std::vector<std::string>& values) {
              for (const auto& value : values) arguments.ids.push_back(positive("id", value));
            },
            "numbers of dead letters")
        ->type_name("ID");
  };

  auto* list = add("list", Command::deadletter_list, "one line for each", kListExamples);
  add_dead_letter_filter(*list, arguments);
  add_database_options(*list, parsed);

  auto* show =
      add("show", Command::deadletter_show, "all that is known of some, with the payload", "");
  add_ids(*show)->required();
  add_database_options(*show, parsed);

  auto* replay =
      add("replay", Command::deadletter_replay,
          "run them through the rules as they are now and store their rows", kReplayExamples);
  add_ids(*replay);
  add_dead_letter_filter(*replay, arguments);
  add_database_options(*replay, parsed);
  add_option(*replay, *find_config_option("rules"), parsed);

  auto* drop = add("drop", Command::deadletter_drop, "delete them for ever", kDropExamples);
  add_ids(*drop);
  add_dead_letter_filter(*drop, arguments);
  drop->add_flag("--all", arguments.all, "needed when neither numbers nor a filter are given");
  add_database_options(*drop, parsed);
  drop->parse_complete_callback([&arguments] {
    if (arguments.all || arguments.any()) return;
    throw CLI::ValidationError("drop", "this would drop every dead letter: say --all, or which");
  });

  group->footer(
      "Works while the hub runs. replay deletes a dead letter in the transaction that writes its\n"
      "rows, so each is stored once; one that fails again stays, with the new reason. Give it the\n"
      "same --rules as the hub. docs/dead-letters.md explains the reasons.\n" +
      std::string("\n") + kExitStatus);
}

void add_metrics_command(CLI::App& app, Parsed& parsed) {
  auto* metrics = app.add_subcommand(
      "metrics", "print the counters of the hub that runs on --data-dir, as Prometheus reads them");
  metrics->footer(kExitStatus);
  add_database_options(*metrics, parsed);
  metrics->callback([&parsed] { parsed.command = Command::metrics; });
}

void add_tls_command(CLI::App& app, Parsed& parsed) {
  auto* tls = app.add_subcommand("tls", "certificates, for those who begin");
  tls->require_subcommand(1);
  auto* init =
      tls->add_subcommand("init", "make a private CA and certificates, and show how they are used");
  auto& arguments = parsed.tls;
  init->add_option("directory", arguments.directory, "where they go; an existing CA there is used")
      ->type_name("DIR")
      ->capture_default_str();
  init->add_option("--name", arguments.names,
                   "what clients call the server, a name or an address; this machine's without")
      ->type_name("NAME")
      ->allow_extra_args(false);
  init->add_option("--device", arguments.devices,
                   "a certificate for this device (client id), too; again for each")
      ->type_name("ID")
      ->allow_extra_args(false);
  init->footer(std::string("Examples:\n"
                           "  iothub tls init\n"
                           "  iothub tls init --name hub.example.org --name 192.0.2.7\n"
                           "  iothub tls init --device pump-1 --device pump-2\n\n") +
               kExitStatus);
  init->callback([&parsed] { parsed.command = Command::tls_init; });
}

void add_database_command(CLI::App& app, Parsed& parsed) {
  auto* db = app.add_subcommand("db", "prepare and inspect the database");
  db->require_subcommand(1);
  struct Entry {
    const char* name;
    Command command;
    const char* help;
  };
  db->footer(kExitStatus);
  for (const auto& [name, command, help] :
       {Entry{"init", Command::db_init, "apply the migrations that the database lacks"},
        Entry{"status", Command::db_status, "show which migrations are applied"},
        Entry{"script", Command::db_script,
              "print what init does as a script, for an administrator's psql"},
        Entry{"url", Command::db_url, "print the URL of the database, for psql and others"}}) {
    auto* sub = db->add_subcommand(name, help);
    add_database_options(*sub, parsed);
    sub->callback([&parsed, chosen = command] { parsed.command = chosen; });
  }
  db->footer(
      "Without --database, that is the hub's own database in --data-dir; init and status start\n"
      "it for a moment when no hub runs.\n");
}

// The first word that should be a command and is none, with what it may have been meant for.
std::optional<std::string> unknown_command(const CLI::App& app, int count,
                                           const char* const* arguments) {
  const CLI::App* at = &app;
  for (int i = 1; i < count; ++i) {
    const auto commands = at->get_subcommands([](const CLI::App*) { return true; });
    const std::string_view word = arguments[i];
    if (commands.empty() || word.starts_with('-')) return std::nullopt;
    std::vector<std::string> names;
    const CLI::App* chosen = nullptr;
    for (const CLI::App* command : commands) {
      names.push_back(command->get_name());
      if (command->get_name() == word) chosen = command;
    }
    if (chosen == nullptr) {
      const std::vector<std::string_view> known(names.begin(), names.end());
      return fmt::format("there is no command {}{}", log::escape_control_characters(word),
                         rules::did_you_mean(word, known));
    }
    at = chosen;
  }
  return std::nullopt;
}

}  // namespace

std::variant<CommandLine, int> parse_command_line(int count, const char* const* arguments,
                                                  std::ostream& out, std::ostream& err) {
  Parsed parsed;
  CLI::App app(kAbout, "iothub");
  app.set_version_flag("--version", "iothub " IOTHUB_VERSION);
  app.require_subcommand(1);
  app.footer(std::string(kPrecedence) + "\n" + kExamples + kExitStatus);

  auto* serve = app.add_subcommand("serve", "run the hub until SIGTERM or Ctrl-C");
  serve->callback([&] { parsed.command = Command::serve; });
  serve->footer(std::string(kPrecedence) + "\n" + kServeExamples);
  add_all_options(*serve, parsed);

  auto* check = app.add_subcommand(
      "check", "check configuration, database and rules, and report every problem with its place");
  check->callback([&] { parsed.command = Command::check; });
  check->footer(kPrecedence);
  add_all_options(*check, parsed);

  add_database_command(app, parsed);
  add_ledger_command(app, parsed);
  add_dead_letter_command(app, parsed);
  add_metrics_command(app, parsed);
  add_tls_command(app, parsed);

  if (const auto unknown = unknown_command(app, count, arguments)) {
    err << *unknown << "\nRun with --help for more information.\n";
    return kUsageError;
  }
  try {
    app.parse(count, const_cast<char**>(arguments));
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error, out, err);
    return status == 0 ? kSuccess : kUsageError;
  }

  CommandLine line;
  line.command = parsed.command;
  line.sources.flags = std::move(parsed.flags);
  line.ledger = std::move(parsed.ledger);
  line.dead_letters = std::move(parsed.dead_letters);
  line.tls = std::move(parsed.tls);
  line.sources.environment = process_environment();
  if (!parsed.file.empty()) {
    line.sources.file = parsed.file;
  } else {
    for (const auto& [name, value] : line.sources.environment) {
      if (name == kConfigFileVariable && !value.empty()) line.sources.file = value;
    }
  }
  return line;
}

}  // namespace hub
