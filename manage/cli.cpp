#include "manage/cli.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "manage/commands.h"
#include "manage/manage.h"
#include "manage/plan.h"

namespace hub::manage {
namespace cli {

namespace json = boost::json;

CLI::App* add(CLI::App& parent, Options& options, const char* name, const char* help,
              Command command) {
  auto* sub = parent.add_subcommand(name, help);
  sub->add_flag("--json", options.console.json, "Print what the API answers");
  sub->add_flag("-y,--yes", options.console.yes, "Confirm what would be asked");
  sub->add_option("--account", options.account, "For an operator: in this account's name");
  sub->add_option("--api", options.api, "The control plane [http://127.0.0.1:7880]");
  sub->callback([&options, command] {
    options.run = [command](Options& o) {
      auto profile = load_profile();
      if (!o.api.empty()) profile.url = o.api;
      if (!o.account.empty()) profile.account = o.account;
      Client client{profile};
      command(client, o);
      return 0;
    };
  });
  return sub;
}

CLI::App* group(CLI::App& app, const char* name, const char* help) {
  auto* sub = app.add_subcommand(name, help);
  sub->require_subcommand(1);
  return sub;
}

json::object given(std::initializer_list<std::pair<const char*, std::string>> fields) {
  json::object body;
  for (const auto& [name, value] : fields)
    if (!value.empty()) body[name] = value;
  return body;
}

void add_listing(CLI::App& parent, Options& options, const std::string& kind) {
  add(parent, options, "list", "show all", [kind](Client& c, Options& o) {
    list_things(c, o.console, kind, o.vpc.empty() ? "" : "?vpc=" + url_encoded(o.vpc));
  });
  add(parent, options, "show", "show one",
      [kind](Client& c, Options& o) { show_thing(c, o.console, kind, o.ref); })
      ->add_option("REF", options.ref, "Name or id")
      ->required();
}

void add_deletion(CLI::App& parent, Options& options, const std::string& kind) {
  add(parent, options, "delete", "delete one",
      [kind](Client& c, Options& o) { delete_thing(c, o.console, kind, o.ref); })
      ->add_option("REF", options.ref, "Name or id")
      ->required();
}

}  // namespace cli

namespace {

using namespace cli;

constexpr const char* kAbout =
    "Hub instances in private networks, next to a database: the control plane, and its client.";

constexpr const char* kExamples =
    "A first hub:\n"
    "  sudo iothub manage serve                     leave it running; the rest in another "
    "terminal\n"
    "  iothub manage account create acme\n"
    "  iothub manage account verify acme --personal --name \"Zhang San\" \\\n"
    "         --id-number 11010519491231002X\n"
    "  iothub manage wallet deposit acme 100.00\n"
    "  iothub manage vpc create --name plant --cidr 10.1.0.0/16\n"
    "  iothub manage subnet create --vpc plant --name line1 --cidr 10.1.1.0/24\n"
    "  iothub manage rds create --name db --vpc plant --subnet line1 --class 1c1g --storage 20\n"
    "  iothub manage rds init db\n"
    "  iothub manage hub create --name hub1 --vpc plant --subnet line1 --rds db\n"
    "  iothub manage hub list                       the public endpoint is what devices connect "
    "to\n"
    "\n"
    "The same in one file: iothub manage apply plant.toml\n"
    "Exit status: 0 done, 1 refused or failed, 2 a mistake in the call.\n";

void add_serve(CLI::App& app, Options& options) {
  auto& serve = options.serve;
  auto* sub = app.add_subcommand("serve", "run the control plane on this machine");
  sub->add_option("--listen", serve.address, "Address of the API")->capture_default_str();
  sub->add_option("--port", serve.port, "Port of the API; 0: a free one")->capture_default_str();
  sub->add_option("--data-dir", serve.data_dir, "Everything of the control plane and its instances")
      ->default_val(kDataDir);
  sub->add_option("--database", serve.database, "postgresql://...; empty: its own");
  sub->add_option("--provider", serve.provider,
                  "local: network namespaces, needs root; process: NO isolation")
      ->check(CLI::IsMember({"local", "process"}))
      ->capture_default_str();
  sub->add_option("--installation", serve.installation,
                  "Tells two control planes on one machine apart: 1 to 8 of a-z and 0-9")
      ->capture_default_str();
  sub->add_option("--public-host", serve.public_host, "In public endpoints [this machine's name]");
  sub->add_option("--first-public-port", serve.first_public_port, "Of public endpoints")
      ->capture_default_str();
  sub->add_option("--free-units", serve.free_units, "Of 0.5 KB, free each month and hub")
      ->capture_default_str();
  sub->add_option("--last-public-port", serve.last_public_port, "Of public endpoints")
      ->capture_default_str();
  sub->callback([&options] { options.run = [](Options& o) { return manage::serve(o.serve); }; });
}

void add_plans(CLI::App& app, Options& options) {
  add(app, options, "apply", "make everything as a file says; shows a plan first",
      [](Client& c, Options& o) { apply_plan(c, o.console, read_plan(o.file)); })
      ->add_option("FILE", options.file)
      ->required();
  add(app, options, "destroy", "delete everything that a file names",
      [](Client& c, Options& o) { destroy_plan(c, o.console, read_plan(o.file)); })
      ->add_option("FILE", options.file)
      ->required();
}

}  // namespace

int run(int count, const char* const* arguments) {
  Options options;
  CLI::App app(kAbout, "iothub manage");
  app.require_subcommand(1);
  add_serve(app, options);
  add_accounts(app, options);
  add_tokens(app, options);
  add_wallet(app, options);
  add_orders(app, options);
  add_networks(app, options);
  add_rds(app, options);
  add_hubs(app, options);
  add_plans(app, options);
  app.footer(kExamples);  // of itself alone: those that are there already do not inherit it
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error, std::cout, std::cerr);
    return status == 0 ? 0 : 2;
  }
  try {
    return options.run(options);
  } catch (const Refusal& refusal) {
    std::cerr << refusal.code() << ": " << refusal.what() << '\n';
  } catch (const std::exception& error) {
    std::cerr << "iothub manage: " << error.what() << '\n';
  }
  return 1;
}

}  // namespace hub::manage
