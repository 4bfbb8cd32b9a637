#include "manage/commands.h"

#include <fmt/format.h>

#include "instances/core/secrets.h"
#include "manage/kinds.h"

namespace hub::manage {
namespace {

namespace json = boost::json;

std::string path_of(const Kind& kind, const std::string& ref) {
  return kind.path + "/" + url_encoded(ref);
}

std::string name_in(const json::object& thing, const Kind& kind) {
  for (const char* field : {"vpcName", "subnetName", "instanceName", "name"})
    if (thing.contains(field)) return shown(thing, field);
  return shown(thing, kind.id);
}

}  // namespace

void create_account(Client& client, const Console& console, const std::string& name,
                    bool ask_password) {
  const auto password =
      ask_password ? console.password("Password of the account: ") : instances::new_secret();
  const auto account = client.post("/v1/accounts", {{"name", name}, {"password", password}});
  console.object(account);
  console.say(fmt::format("Account {} ({}) is made, and is the one that the next calls are for.",
                          name, shown(account, "id")));
  if (!ask_password) console.say("Its password, which is told this once: " + password);
  auto& profile = client.profile();
  if (profile.token.empty()) {  // no operator: be the account itself
    const auto session = client.post("/v1/sessions", {{"name", name}, {"password", password}});
    profile.token = shown(session, "secret");
  }
  profile.account = name;
  save_profile(profile, profile_path());
}

void sign_in(Client& client, const Console& console, const std::string& name) {
  const auto password = console.password("Password: ");
  auto& profile = client.profile();
  profile.token.clear();
  profile.account.clear();
  const auto session = client.post("/v1/sessions", {{"name", name}, {"password", password}});
  profile.token = shown(session, "secret");
  profile.account = name;
  save_profile(profile, profile_path());
  console.say("Signed in as " + name + " until " +
              shown(session.at("token").as_object(), "expiresAt") + ".");
}

void use_account(Client& client, const Console& console, const std::string& name) {
  client.profile().account = name;
  const auto account = client.get("/v1/account");
  save_profile(client.profile(), profile_path());
  console.object(account);
  console.say("The next calls are for " + name + ".");
}

void verify_account(Client& client, const Console& console, const std::string& name,
                    const AccountVerification& verification) {
  client.profile().account = name;
  auto now = client.post("/v1/account/verification",
                         {{"kind", verification.enterprise ? "enterprise" : "personal"},
                          {"subject", verification.subject},
                          {"identityNumber", verification.number},
                          {"details", verification.details}});
  // An operator has decided by asking; anyone else waits for one.
  try {
    decide_account(client, console, name, true, "");
  } catch (const Refusal& refusal) {
    if (refusal.code() != "Forbidden") throw;
    console.object(now);
    console.say("The verification is under review: an operator decides on it.");
  }
}

void decide_account(Client& client, const Console& console, const std::string& name, bool approve,
                    const std::string& reason) {
  const auto decided = client.post("/v1/accounts/" + url_encoded(name) + "/verification/decision",
                                   {{"approve", approve}, {"reason", reason}});
  console.object(decided);
  console.say(fmt::format("The verification of {} is now: {}.", name, shown(decided, "status")));
  if (const auto amount = shown(decided, "remittance"); !amount.empty())
    console.say(
        fmt::format("Send {} to the enterprise's bank account; it confirms the amount with "
                    "`iothub manage account confirm-remittance`.",
                    amount));
}

void confirm_remittance(Client& client, const Console& console, const std::string& amount) {
  const auto answer = client.post("/v1/account/verification/remittance", {{"amount", amount}});
  console.object(answer);
  if (!answer.at("verified").as_bool())
    throw std::runtime_error(
        "that is not the amount that was sent: look at the bank statement; too many wrong ones in "
        "a "
        "row freeze the verification for an hour");
  console.say("The account is verified.");
}

void deposit(Client& client, const Console& console, const std::string& account,
             const std::string& amount, const std::string& reference) {
  const auto wallet = client.post(
      "/v1/accounts/" + url_encoded(account) + "/deposits",
      {{"amount", amount}, {"reference", reference.empty() ? instances::new_secret() : reference}});
  console.fields(wallet, {{"cash", "cashBalance"},
                          {"coupons", "couponBalance"},
                          {"owed", "owed"},
                          {"warnings", "warnings"}});
}

void list_things(Client& client, const Console& console, const std::string& name,
                 const std::string& query) {
  const auto& kind = kind_of(name);
  const auto items = name == "region" ? client.get(kind.path).at("items").as_array()
                                      : client.list(kind.path + query);
  console.table(items, kind.columns);
}

void show_thing(Client& client, const Console& console, const std::string& name,
                const std::string& ref) {
  const auto& kind = kind_of(name);
  const auto thing = client.get(path_of(kind, ref));
  auto columns = kind.columns;
  columns.insert(columns.end(), kind.more.begin(), kind.more.end());
  console.fields(thing, columns);
  if (console.json || name != "sg") return;
  console.table(thing.at("rules").as_array(), {{"RULE", "ruleId"},
                                               {"DIRECTION", "direction"},
                                               {"PROTOCOL", "protocol"},
                                               {"PEER", "addressPrefix"},
                                               {"FROM", "fromPort"},
                                               {"TO", "toPort"}});
}

void create_thing(Client& client, const Console& console, const std::string& name,
                  const json::object& body) {
  const auto& kind = kind_of(name);
  const auto thing = client.post(kind.path, body);
  console.object(thing);
  console.say(fmt::format("The {} {} is made ({}).", kind.title, name_in(thing, kind),
                          shown(thing, kind.id)));
}

void order_thing(Client& client, const Console& console, const std::string& name,
                 const json::object& body, const std::string& coupon) {
  const auto& kind = kind_of(name);
  const auto order = client.post(kind.path, body);
  carry_out_order(client, console, order, coupon);
  show_thing(client, console, name, shown(order, "resourceId"));
}

void work_on_thing(Client& client, const Console& console, const std::string& name,
                   const std::string& ref, const std::string& verb, const json::object& body) {
  const auto& kind = kind_of(name);
  const auto started = client.post(path_of(kind, ref) + ":" + verb, body);
  console.object(started);
  follow(client, console, shown(started, "operationId"));
}

void delete_thing(Client& client, const Console& console, const std::string& name,
                  const std::string& ref) {
  const auto& kind = kind_of(name);
  auto path = path_of(kind, ref);
  auto question = fmt::format("Delete the {} {}?", kind.title, ref);
  if (name == "rds") question = fmt::format("Delete the database instance {} and its data?", ref);
  if (name == "hub") {
    const auto hub = client.get(path);
    question = fmt::format(
        "Delete the hub {} and disconnect its devices for good? Its database "
        "stays.",
        shown(hub, "name"));
    path += "?confirm=" + url_encoded(shown(hub, "name"));
  }
  if (!console.confirm(question))
    throw Refusal("NotConfirmed", "Nothing is deleted. Confirm it with --yes.");
  const auto started = client.remove(path);
  console.object(started);
  if (const auto operation = shown(started, "operationId"); !operation.empty())
    follow(client, console, operation);
  console.say(fmt::format("The {} {} is deleted.", kind.title, ref));
}

void list_usage(Client& client, const Console& console, const std::string& ref) {
  console.table(client.list(path_of(kind_of("hub"), ref) + "/usage"),
                {{"DAY", "day"},
                 {"MESSAGES", "messages"},
                 {"FREE UNITS", "freeUnits"},
                 {"PAID UNITS", "paidUnits"},
                 {"ACTIVE DEVICES", "activeDevices"}});
}

void update_hub(Client& client, const Console& console, const std::string& ref,
                const json::object& change) {
  const auto& kind = kind_of("hub");
  const auto changed = client.patch(path_of(kind, ref), change);
  if (const auto operation = shown(changed, "operationId"); !operation.empty())
    follow(client, console, operation);
  show_thing(client, console, "hub", ref);
}

}  // namespace hub::manage
