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

void add_accounts(CLI::App& app, Options& options) {
  auto* account = group(app, "account", "accounts, and who is behind them");
  const auto named = [&](CLI::App* sub) {
    sub->add_option("NAME", options.name, "The account")->required();
    return sub;
  };
  named(add(*account, options, "create", "make an account, and act for it from now on",
            [](Client& c, Options& o) { create_account(c, o.console, o.name, o.ask_password); }))
      ->add_flag("--password", options.ask_password, "Ask for its password; else a random one");
  named(add(*account, options, "login", "sign in with its password",
            [](Client& c, Options& o) { sign_in(c, o.console, o.name); }));
  named(add(*account, options, "use", "act for it from now on",
            [](Client& c, Options& o) { use_account(c, o.console, o.name); }));
  auto* verify =
      named(add(*account, options, "verify", "verify who is behind it", [](Client& c, Options& o) {
        verify_account(c, o.console, o.name, {o.enterprise, o.subject, o.number, o.details});
      }));
  auto* kind = verify->add_option_group("kind");
  kind->add_flag("--personal", options.personal, "A person");
  kind->add_flag("--enterprise", options.enterprise, "A company");
  kind->require_option(1);
  verify->add_option("--name", options.subject, "The person's or the company's name")->required();
  verify->add_option("--id-number", options.number, "Identity number or social credit code")
      ->required();
  verify->add_option("--details", options.details, "For the reviewer");
  named(add(*account, options, "approve", "operator: approve its verification",
            [](Client& c, Options& o) { decide_account(c, o.console, o.name, true, ""); }));
  named(add(*account, options, "reject", "operator: reject its verification",
            [](Client& c, Options& o) { decide_account(c, o.console, o.name, false, o.reason); }))
      ->add_option("--reason", options.reason, "For the account to read")
      ->required();
  add(*account, options, "confirm-remittance", "type back the amount that arrived",
      [](Client& c, Options& o) { confirm_remittance(c, o.console, o.amount); })
      ->add_option("AMOUNT", options.amount, "Such as 0.37")
      ->required();
  auto* quota = named(
      add(*account, options, "quota", "operator: give it another quota", [](Client& c, Options& o) {
        c.put("/v1/accounts/" + url_encoded(o.name) + "/quotas/" + url_encoded(o.ref),
              {{"value", o.value}});
      }));
  quota->add_option("QUOTA", options.ref, "Such as hubs")->required();
  quota->add_option("VALUE", options.value, "0 or more")->required();
  add_listing(*account, options, "account");

  auto* token = group(app, "token", "API tokens");
  add(*token, options, "list", "show all",
      [](Client& c, Options& o) { list_things(c, o.console, "token"); });
  auto* make = add(*token, options, "create", "make one; its secret is shown this once",
                   [](Client& c, Options& o) {
                     const auto made = c.post(
                         "/v1/tokens", {{"name", o.name},
                                        {"scopes", json::array(o.scopes.begin(), o.scopes.end())},
                                        {"days", o.days}});
                     o.console.object(made);
                     o.console.say(shown(made, "secret"));
                   });
  make->add_option("--name", options.name, "For the list")->required();
  make->add_option("--scope", options.scopes, "read, write, pay, operator")->capture_default_str();
  make->add_option("--days", options.days, "Until it expires")->capture_default_str();
  add(*token, options, "revoke", "revoke one",
      [](Client& c, Options& o) { c.remove("/v1/tokens/" + url_encoded(o.ref)); })
      ->add_option("ID", options.ref)
      ->required();
}

void add_money(CLI::App& app, Options& options) {
  auto* wallet = group(app, "wallet", "cash and coupons");
  add(*wallet, options, "show", "what there is", [](Client& c, Options& o) {
    o.console.fields(c.get("/v1/wallet"), {{"cash", "cashBalance"},
                                           {"coupons", "couponBalance"},
                                           {"owed", "owed"},
                                           {"warnings", "warnings"}});
  });
  auto* deposit_command =
      add(*wallet, options, "deposit", "operator: write down a deposit",
          [](Client& c, Options& o) { deposit(c, o.console, o.name, o.amount, o.reference); });
  deposit_command->add_option("ACCOUNT", options.name)->required();
  deposit_command->add_option("AMOUNT", options.amount, "Such as 100.00")->required();
  deposit_command->add_option("--reference", options.reference,
                              "The same twice is one deposit; else each call is one");
  add(*wallet, options, "ledger", "what came and went",
      [](Client& c, Options& o) { list_things(c, o.console, "ledger"); });
  add(*wallet, options, "coupons", "the account's coupons",
      [](Client& c, Options& o) { list_things(c, o.console, "coupon"); });
  add(*wallet, options, "bind", "make a coupon the account's",
      [](Client& c, Options& o) { o.console.object(c.post("/v1/coupons", {{"number", o.ref}})); })
      ->add_option("NUMBER", options.ref)
      ->required();

  auto* order = group(app, "order", "orders");
  add_listing(*order, options, "order");
  const auto act = [&](const char* verb, const char* help, json::object body) {
    return add(*order, options, verb, help,
               [verb = std::string(verb), body](Client& c, Options& o) {
                 auto fields = body;
                 if (!o.coupon.empty()) fields["coupon"] = o.coupon;
                 o.console.object(c.post("/v1/orders/" + url_encoded(o.ref) + ":" + verb, fields));
               });
  };
  act("confirm", "accept an order's terms", {{"termsAccepted", true}})
      ->add_option("NUMBER", options.ref)
      ->required();
  auto* pay = act("pay", "pay an order", {});
  pay->add_option("NUMBER", options.ref)->required();
  pay->add_option("--coupon", options.coupon, "Of a package: the one to use");
  act("cancel", "cancel an order", {})->add_option("NUMBER", options.ref)->required();

  auto* bill = group(app, "bill", "bills");
  add(*bill, options, "list", "show all", [](Client& c, Options& o) {
    list_things(c, o.console, "bill",
                o.resource.empty() ? "" : "?resource=" + url_encoded(o.resource));
  })->add_option("--resource", options.resource, "Of this one only, by its id");
  add_listing(*group(app, "operation", "work on the machine"), options, "operation");
  add(*group(app, "region", "regions and their zones"), options, "list", "show all",
      [](Client& c, Options& o) { list_things(c, o.console, "region"); });
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
  add_money(app, options);
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
