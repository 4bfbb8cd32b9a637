#include "api/manage/manage_api.h"
#include "api/manage/shapes.h"
#include "instances/core/calendar.h"
#include "instances/money/wallet.h"

namespace hub::api {
namespace {

namespace json = boost::json;
using namespace instances;
using http::Problem;
using http::Schema;
using F = http::FieldType;
using Turn = ManageApi::Turn;
using Answer = ManageApi::Answer;

const Schema kDecision{"VerificationDecision",
                       {{"approve", F::boolean, true, "Or reject"},
                        {"reason", F::text, false, "Of a rejection, for the account to read"}}};
const Schema kDecided{
    "VerificationDecided",
    {{"status", F::text, true, "What it is now"},
     {"remittance", F::money, false, "The amount to send to the enterprise's bank account"}}};
const Schema kDeposit{"Deposit",
                      {{"amount", F::money, true, "Such as 100.00"},
                       {"reference", F::text, true, "Unique: the same twice is one deposit"}}};
const Schema kNewCoupon{"NewCoupon",
                        {{"number", F::text, false, "Empty: a random one"},
                         {"kind", F::text, false, "free or paid"},
                         {"total", F::money, true, ""},
                         {"products", F::texts, false, "Empty: all"},
                         {"chargeModes", F::texts, false, "Empty: all"},
                         {"days", F::integer, true, "From now until it expires"}}};
const Schema kQuota{"Quota", {{"value", F::integer, true, "0 or more"}}};

std::string account_of(const Turn& turn) {
  return find_account(turn.call, turn.parameter("account")).id;
}

Money amount_of(const Turn& turn, const char* name) {
  const auto amount = parse_payment(turn.text(name));
  if (!amount) throw Problem::invalid("An amount has at most two decimals, such as 100.00.");
  return *amount;
}

Answer decide(const Turn& turn) {
  const auto account = account_of(turn);
  const bool approve = turn.request.body.at("approve").get_bool();
  const auto remittance = decide_verification(
      turn.call, account, {approve ? Verdict::approve : Verdict::reject, turn.text("reason")});
  json::object body{{"status", get_verification(turn.call, account).status}};
  if (remittance) body["remittance"] = remittance->to_string();
  return {std::move(body), {}, false};
}

Answer take_deposit(const Turn& turn) {
  const auto account = account_of(turn);
  deposit(turn.call, account, amount_of(turn, "amount"),
          turn.parameter("account") + ":" + turn.text("reference"));
  pay_open_bills(turn.call, account);
  return {shapes::of(get_wallet(turn.call, account)), {}, false};
}

Answer give_coupon(const Turn& turn) {
  const auto days = turn.integer("days", 0);
  if (days < 1 || days > 3660) throw Problem::invalid("'days' is 1 to 3660.");
  return {shapes::of(issue_coupon(turn.call,
                                  {.number = turn.text("number"),
                                   .kind = turn.text("kind", "free"),
                                   .total = amount_of(turn, "total"),
                                   .remaining = {},
                                   .products = turn.texts("products"),
                                   .charge_modes = turn.texts("chargeModes"),
                                   .valid_from = turn.call.now,
                                   .valid_to = turn.call.now + std::chrono::hours{24 * days}},
                                  account_of(turn))),
          {},
          false};
}

Answer give_token(const Turn& turn) {
  return {shapes::of(create_token(
              turn.call, account_of(turn),
              {"operator", {"read", "write", "pay"}, turn.call.now + std::chrono::hours{24 * 30}})),
          {},
          true};
}

}  // namespace

void add_operator_routes(ManageApi& api, std::vector<http::Route>& routes) {
  routes.push_back({.method = "GET",
                    .path = "/v1/accounts",
                    .id = "listAccounts",
                    .about = "All accounts",
                    .scope = "operator",
                    .answer = &shapes::account,
                    .is_list = true,
                    .query = {},
                    .handler = api.list([](const Turn& turn, int offset, int limit) {
                      return page_of(list_accounts(turn.call, "", 10'000), offset, limit,
                                     [](const Account& a) { return shapes::of(a); });
                    })});
  routes.push_back(
      {.method = "GET",
       .path = "/v1/accounts/{account}",
       .id = "getAnyAccount",
       .about = "One account",
       .scope = "operator",
       .answer = &shapes::account,
       .query = {},
       .handler = api.signed_in([](const Turn& turn) {
         return Answer{shapes::of(find_account(turn.call, turn.parameter("account"))), {}, false};
       })});
  routes.push_back({.method = "POST",
                    .path = "/v1/accounts/{account}/verification/decision",
                    .id = "decideVerification",
                    .about = "Approves or rejects a verification",
                    .scope = "operator",
                    .request = &kDecision,
                    .answer = &kDecided,
                    .query = {},
                    .handler = api.signed_in(decide)});
  routes.push_back({.method = "POST",
                    .path = "/v1/accounts/{account}/deposits",
                    .id = "deposit",
                    .about = "Writes down a deposit, and pays the bills that are open",
                    .scope = "operator",
                    .request = &kDeposit,
                    .answer = &shapes::wallet,
                    .status = 201,
                    .query = {},
                    .handler = api.signed_in(take_deposit)});
  routes.push_back({.method = "POST",
                    .path = "/v1/accounts/{account}/coupons",
                    .id = "issueCoupon",
                    .about = "Gives a coupon to an account",
                    .scope = "operator",
                    .request = &kNewCoupon,
                    .answer = &shapes::coupon,
                    .status = 201,
                    .query = {},
                    .handler = api.signed_in(give_coupon)});
  routes.push_back({.method = "POST",
                    .path = "/v1/accounts/{account}/tokens",
                    .id = "createTokenFor",
                    .about = "Makes a token of an account for 30 days",
                    .scope = "operator",
                    .answer = &shapes::issued_token,
                    .status = 201,
                    .query = {},
                    .handler = api.signed_in(give_token)});
  routes.push_back({.method = "PUT",
                    .path = "/v1/accounts/{account}/quotas/{quota}",
                    .id = "setQuota",
                    .about = "Gives an account another quota",
                    .scope = "operator",
                    .request = &kQuota,
                    .status = 204,
                    .query = {},
                    .handler = api.signed_in([](const Turn& turn) {
                      set_quota(turn.call, account_of(turn), turn.parameter("quota"),
                                turn.integer("value", 0));
                      return Answer{};
                    })});
}

}  // namespace hub::api
