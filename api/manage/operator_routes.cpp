#include <boost/json/object.hpp>

#include "api/manage/api_routes.h"
#include "http/problem.h"
#include "instances/money/wallet.h"

namespace hub::api {
namespace {

namespace json = boost::json;
using namespace instances;
using http::Problem;
using http::Schema;
using F = http::FieldType;

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

PageOf list_all(const Turn& turn, int offset, int limit) {
  return page_of(list_accounts(turn.call, "", 10'000), offset, limit);
}

Answer get_one(const Turn& turn) {
  return {shapes::of(find_account(turn.call, turn.parameter("account")))};
}

Answer decide(const Turn& turn) {
  const auto account = account_of(turn);
  const bool approve = turn.request.body.at("approve").get_bool();
  const auto remittance = decide_verification(
      turn.call, account, {approve ? Verdict::approve : Verdict::reject, turn.text("reason")});
  json::object body{{"status", get_verification(turn.call, account).status}};
  if (remittance) body["remittance"] = remittance->to_string();
  return {std::move(body)};
}

Answer take_deposit(const Turn& turn) {
  const auto account = account_of(turn);
  deposit(turn.call, account, amount_of(turn, "amount"),
          turn.parameter("account") + ":" + turn.text("reference"));
  pay_open_bills(turn.call, account);
  return {shapes::of(get_wallet(turn.call, account))};
}

Answer give_coupon(const Turn& turn) {
  const auto days = turn.integer("days", 0);
  if (days < 1 || days > 3660) throw Problem::invalid("'days' is 1 to 3660.");
  const Coupon coupon{.number = turn.text("number"),
                      .kind = turn.text("kind", "free"),
                      .total = amount_of(turn, "total"),
                      .remaining = {},
                      .products = turn.texts("products"),
                      .charge_modes = turn.texts("chargeModes"),
                      .valid_from = turn.call.now,
                      .valid_to = turn.call.now + std::chrono::hours{24 * days}};
  return {shapes::of(issue_coupon(turn.call, coupon, account_of(turn)))};
}

Answer give_token(const Turn& turn) {
  const NewToken token{
      "operator", {"read", "write", "pay"}, turn.call.now + std::chrono::hours{24 * 30}};
  return {.body = shapes::of(create_token(turn.call, account_of(turn), token)), .secret = true};
}

Answer give_quota(const Turn& turn) {
  set_quota(turn.call, account_of(turn), turn.parameter("quota"), turn.integer("value", 0));
  return {};
}

}  // namespace

std::vector<ApiRoute> operator_routes() {
  return {
      {"GET", "/v1/accounts", "listAccounts", "operator", "All accounts", list_all,
       Shape{.answer = &shapes::account}},
      {"GET", "/v1/accounts/{account}", "getAnyAccount", "operator", "One account", get_one,
       Shape{.answer = &shapes::account}},
      {"POST", "/v1/accounts/{account}/verification/decision", "decideVerification", "operator",
       "Approves or rejects a verification", decide,
       Shape{.request = &kDecision, .answer = &kDecided}},
      {"POST", "/v1/accounts/{account}/deposits", "deposit", "operator",
       "Writes down a deposit, and pays the bills that are open", take_deposit,
       Shape{.request = &kDeposit, .answer = &shapes::wallet, .status = 201}},
      {"POST", "/v1/accounts/{account}/coupons", "issueCoupon", "operator",
       "Gives a coupon to an account", give_coupon,
       Shape{.request = &kNewCoupon, .answer = &shapes::coupon, .status = 201}},
      {"POST", "/v1/accounts/{account}/tokens", "createTokenFor", "operator",
       "Makes a token of an account for 30 days", give_token,
       Shape{.answer = &shapes::issued_token, .status = 201}},
      {"PUT", "/v1/accounts/{account}/quotas/{quota}", "setQuota", "operator",
       "Gives an account another quota", give_quota, Shape{.request = &kQuota, .status = 204}},
  };
}

}  // namespace hub::api
