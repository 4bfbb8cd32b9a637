// The commands about accounts and their money.
#include <CLI/CLI.hpp>

#include "manage/cli.h"
#include "manage/commands.h"

namespace hub::manage::cli {

namespace json = boost::json;

namespace {

// A command whose argument is an account.
CLI::App* add_named(CLI::App& account, Options& options, const char* name, const char* help,
                    Command command) {
  auto* sub = add(account, options, name, help, std::move(command));
  sub->add_option("NAME", options.name, "The account")->required();
  return sub;
}

void add_sign_in(CLI::App& account, Options& options) {
  add_named(account, options, "create", "make an account, and act for it from now on",
            [](Client& c, Options& o) { create_account(c, o.console, o.name, o.ask_password); })
      ->add_flag("--password", options.ask_password, "Ask for its password; else a random one");
  add_named(account, options, "login", "sign in with its password",
            [](Client& c, Options& o) { sign_in(c, o.console, o.name); });
  add_named(account, options, "use", "act for it from now on",
            [](Client& c, Options& o) { use_account(c, o.console, o.name); });
}

void add_verification(CLI::App& account, Options& options) {
  auto* verify =
      add_named(account, options, "verify", "verify who is behind it", [](Client& c, Options& o) {
        verify_account(c, o.console, o.name, {o.enterprise, o.subject, o.number, o.details});
      });
  auto* kind = verify->add_option_group("kind");
  kind->add_flag("--personal", options.personal, "A person");
  kind->add_flag("--enterprise", options.enterprise, "A company");
  kind->require_option(1);
  verify->add_option("--name", options.subject, "The person's or the company's name")->required();
  verify->add_option("--id-number", options.number, "Identity number or social credit code")
      ->required();
  verify->add_option("--details", options.details, "For the reviewer");
  add_named(account, options, "approve", "operator: approve its verification",
            [](Client& c, Options& o) { decide_account(c, o.console, o.name, true, ""); });
  add_named(account, options, "reject", "operator: reject its verification",
            [](Client& c, Options& o) { decide_account(c, o.console, o.name, false, o.reason); })
      ->add_option("--reason", options.reason, "For the account to read")
      ->required();
  add(account, options, "confirm-remittance", "type back the amount that arrived",
      [](Client& c, Options& o) { confirm_remittance(c, o.console, o.amount); })
      ->add_option("AMOUNT", options.amount, "Such as 0.37")
      ->required();
}

void give_quota(Client& client, Options& o) {
  client.put("/v1/accounts/" + url_encoded(o.name) + "/quotas/" + url_encoded(o.ref),
             {{"value", o.value}});
}

void make_token(Client& client, Options& o) {
  const auto made =
      client.post("/v1/tokens", {{"name", o.name},
                                 {"scopes", json::array(o.scopes.begin(), o.scopes.end())},
                                 {"days", o.days}});
  o.console.object(made);
  o.console.say(shown(made, "secret"));
}

void show_wallet(Client& client, Options& o) {
  o.console.fields(client.get("/v1/wallet"), {{"cash", "cashBalance"},
                                              {"coupons", "couponBalance"},
                                              {"owed", "owed"},
                                              {"warnings", "warnings"}});
}

// What an owner does about an order: a post to :VERB, with `fields` and the coupon in its body.
CLI::App* add_order_step(CLI::App& order, Options& options, const char* verb, const char* help,
                         json::object fields) {
  auto* sub = add(order, options, verb, help,
                  [verb = std::string(verb), fields = std::move(fields)](Client& c, Options& o) {
                    auto body = fields;
                    if (!o.coupon.empty()) body["coupon"] = o.coupon;
                    o.console.object(c.post("/v1/orders/" + url_encoded(o.ref) + ":" + verb, body));
                  });
  sub->add_option("NUMBER", options.ref)->required();
  return sub;
}

}  // namespace

void add_accounts(CLI::App& app, Options& options) {
  auto* account = group(app, "account", "accounts, and who is behind them");
  add_sign_in(*account, options);
  add_verification(*account, options);
  auto* quota =
      add_named(*account, options, "quota", "operator: give it another quota", give_quota);
  quota->add_option("QUOTA", options.ref, "Such as hubs")->required();
  quota->add_option("VALUE", options.value, "0 or more")->required();
  add_listing(*account, options, "account");
}

void add_tokens(CLI::App& app, Options& options) {
  auto* token = group(app, "token", "API tokens");
  add(*token, options, "list", "show all",
      [](Client& c, Options& o) { list_things(c, o.console, "token"); });
  auto* make =
      add(*token, options, "create", "make one; its secret is shown this once", make_token);
  make->add_option("--name", options.name, "For the list")->required();
  make->add_option("--scope", options.scopes, "read, write, pay, operator")->capture_default_str();
  make->add_option("--days", options.days, "Until it expires")->capture_default_str();
  add(*token, options, "revoke", "revoke one",
      [](Client& c, Options& o) { c.remove("/v1/tokens/" + url_encoded(o.ref)); })
      ->add_option("ID", options.ref)
      ->required();
}

void add_wallet(CLI::App& app, Options& options) {
  auto* wallet = group(app, "wallet", "cash and coupons");
  add(*wallet, options, "show", "what there is", show_wallet);
  auto* deposits =
      add(*wallet, options, "deposit", "operator: write down a deposit",
          [](Client& c, Options& o) { deposit(c, o.console, o.name, o.amount, o.reference); });
  deposits->add_option("ACCOUNT", options.name)->required();
  deposits->add_option("AMOUNT", options.amount, "Such as 100.00")->required();
  deposits->add_option("--reference", options.reference,
                       "The same twice is one deposit; else each call is one");
  add(*wallet, options, "ledger", "what came and went",
      [](Client& c, Options& o) { list_things(c, o.console, "ledger"); });
  add(*wallet, options, "coupons", "the account's coupons",
      [](Client& c, Options& o) { list_things(c, o.console, "coupon"); });
  add(*wallet, options, "bind", "make a coupon the account's",
      [](Client& c, Options& o) { o.console.object(c.post("/v1/coupons", {{"number", o.ref}})); })
      ->add_option("NUMBER", options.ref)
      ->required();
}

void add_orders(CLI::App& app, Options& options) {
  auto* order = group(app, "order", "orders");
  add_listing(*order, options, "order");
  add_order_step(*order, options, "confirm", "accept an order's terms", {{"termsAccepted", true}});
  add_order_step(*order, options, "pay", "pay an order", {})
      ->add_option("--coupon", options.coupon, "Of a package: the one to use");
  add_order_step(*order, options, "cancel", "cancel an order", {});

  auto* bill = group(app, "bill", "bills");
  add(*bill, options, "list", "show all", [](Client& c, Options& o) {
    list_things(c, o.console, "bill",
                o.resource.empty() ? "" : "?resource=" + url_encoded(o.resource));
  })->add_option("--resource", options.resource, "Of this one only, by its id");
  add_listing(*group(app, "operation", "work on the machine"), options, "operation");
  add(*group(app, "region", "regions and their zones"), options, "list", "show all",
      [](Client& c, Options& o) { list_things(c, o.console, "region"); });
}

}  // namespace hub::manage::cli
