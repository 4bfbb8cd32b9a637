#include <boost/json/serialize.hpp>

#include "api/manage/api_routes.h"
#include "http/problem.h"
#include "instances/core/secrets.h"
#include "instances/networks/regions.h"

namespace hub::api {
namespace {

namespace json = boost::json;
using namespace instances;
using http::Problem;
using http::Schema;
using F = http::FieldType;

constexpr std::size_t kMinPassword = 8;
constexpr std::size_t kMaxPassword = 128;
constexpr auto kSessionLife = std::chrono::hours{12};

const Schema kNewAccount{"NewAccount",
                         {{"name", F::text, true, "3 to 32 of a-z, 0-9 and '-'"},
                          {"password", F::text, true, "8 to 128 characters"}}};
const Schema kSignIn{
    "SignIn",
    {{"name", F::text, true, "The account's name"}, {"password", F::text, true, "Its password"}}};
const Schema kNewToken{"NewToken",
                       {{"name", F::text, true, "1 to 32 characters"},
                        {"scopes", F::texts, true, "read, write, pay, operator"},
                        {"days", F::integer, false, "Until it expires, 1 to 366; 30"}}};
const Schema kVerification{
    "VerificationRequest",
    {{"kind", F::text, true, "personal or enterprise"},
     {"subject", F::text, true, "The person's or the company's name"},
     {"identityNumber", F::text, true, "Identity number, or unified social credit code"},
     {"details", F::text, false, "For the reviewer: mobile number; bank, legal person"}}};
const Schema kRemittance{"Remittance", {{"amount", F::money, true, "What arrived, such as 0.37"}}};
const Schema kConfirmed{"RemittanceResult",
                        {{"verified", F::boolean, true, "Whether it was the amount"}}};
const Schema kRegion{"Region",
                     {{"id", F::text, true, ""},
                      {"city", F::text, true, ""},
                      {"zones", F::texts, true, ""},
                      {"offersHubs", F::boolean, true, ""}}};
const Schema kRegions{"Regions", {{"items", F::objects, true, "", &kRegion}}};

http::Response answer(int status, const json::object& body) {
  return {status, json::serialize(body), "application/json", {}};
}

http::Response list_regions(const OpenTurn&) {
  json::array items;
  for (const auto& region : regions())
    items.push_back(json::object{{"id", region.id},
                                 {"city", region.city},
                                 {"zones", json::array(region.zones.begin(), region.zones.end())},
                                 {"offersHubs", region.offers_hubs}});
  return answer(200, {{"items", std::move(items)}});
}

std::string field(const http::RouteRequest& request, const char* name) {
  return std::string(request.body.at(name).get_string());
}

std::string checked_password(const http::RouteRequest& request) {
  auto password = field(request, "password");
  if (password.size() < kMinPassword || password.size() > kMaxPassword)
    throw Problem::invalid("A password has 8 to 128 characters.");
  return password;
}

http::Response register_account(const OpenTurn& turn) {
  const auto hashed = hash_password(checked_password(turn.request));
  const auto account = turn.parts.transact(
      [&](const Call& call) { return create_account(call, field(turn.request, "name"), hashed); });
  return answer(201, shapes::of(account));
}

http::Response sign_in(const OpenTurn& turn) {
  const auto name = field(turn.request, "name");
  const auto begun =
      turn.parts.transact([&](const Call& call) { return begin_sign_in(call, name); });
  const bool right = verify_password(begun.password_hash, field(turn.request, "password"));
  const auto issued = turn.parts.transact([&](const Call& call) -> std::optional<IssuedToken> {
    if (!end_sign_in(call, begun, right)) return std::nullopt;
    std::vector<std::string> scopes{"read", "write", "pay"};
    if (find_account(call, begun.account_id).is_operator) scopes.emplace_back("operator");
    return create_token(call, begun.account_id, {"session", scopes, call.now + kSessionLife});
  });
  if (!issued)
    throw Problem{401, "SignInFailed", "Wrong name or password",
                  "The name or the password is wrong. Check both."};
  return answer(201, shapes::of(*issued));
}

Answer own_account(const Turn& turn) { return {shapes::of(find_account(turn.call, turn.account))}; }

Answer own_verification(const Turn& turn) {
  return {shapes::of(get_verification(turn.call, turn.account))};
}

Answer ask_for_verification(const Turn& turn) {
  const auto kind = turn.text("kind");
  if (kind != "personal" && kind != "enterprise")
    throw Problem::invalid("'kind' is personal or enterprise.");
  return {shapes::of(request_verification(turn.call, turn.parts.verifier, turn.account,
                                          {kind == "enterprise", turn.text("subject"),
                                           turn.text("identityNumber"), turn.text("details")}))};
}

PageOf page_of_tokens(const Turn& turn, int offset, int limit) {
  return page_of(list_tokens(turn.call, turn.account), offset, limit);
}

Answer issue_token(const Turn& turn) {
  const auto days = turn.integer("days", 30);
  const auto scopes = turn.texts("scopes");
  for (const auto& scope : scopes)  // no token makes a mightier one
    if (!turn.principal.has(scope))
      throw Problem{403, "Forbidden", "The token does not allow this call",
                    "A token can be given only scopes that the caller's own has."};
  if (days < 1 || days > 366) throw Problem::invalid("'days' is 1 to 366.");
  const NewToken token{turn.text("name"), scopes, turn.call.now + std::chrono::hours{24 * days}};
  return {.body = shapes::of(create_token(turn.call, turn.account, token)), .secret = true};
}

Answer revoke_one_token(const Turn& turn) {
  revoke_token(turn.call, turn.account, turn.parameter("token"));
  return {};
}

// A wrong amount is counted, so it must not be rolled back: it is an answer, not a problem.
Answer take_back_remittance(const Turn& turn) {
  const auto amount = parse_payment(turn.text("amount"));
  if (!amount) throw Problem::invalid("'amount' is an amount, such as 0.37.");
  return {json::object{{"verified", confirm_remittance(turn.call, turn.account, *amount)}}};
}

}  // namespace

std::vector<ApiRoute> account_routes() {
  return {
      {"GET", "/v1/regions", "listRegions", "", "The regions, their zones and what they offer",
       list_regions, Shape{.answer = &kRegions}},
      {"POST", "/v1/accounts", "createAccount", "", "Makes an account", register_account,
       Shape{.request = &kNewAccount, .answer = &shapes::account, .status = 201}},
      {"POST", "/v1/sessions", "signIn", "", "Signs in: gives a token for some hours", sign_in,
       Shape{.request = &kSignIn, .answer = &shapes::issued_token, .status = 201}},
      {"GET", "/v1/account", "getAccount", "read", "The caller's own account", own_account,
       Shape{.answer = &shapes::account}},
      {"GET", "/v1/account/verification", "getVerification", "read", "How far the verification is",
       own_verification, Shape{.answer = &shapes::verification}},
      {"POST", "/v1/account/verification", "requestVerification", "write",
       "Asks for the identity to be verified", ask_for_verification,
       Shape{.request = &kVerification, .answer = &shapes::verification, .status = 201}},
      {"GET", "/v1/tokens", "listTokens", "read", "The account's tokens, without their secrets",
       page_of_tokens, Shape{.answer = &shapes::token}},
      {"POST", "/v1/tokens", "createToken", "write", "Makes a token; its secret is told this once",
       issue_token, Shape{.request = &kNewToken, .answer = &shapes::issued_token, .status = 201}},
      {"DELETE", "/v1/tokens/{token}", "revokeToken", "write", "Revokes a token, at once",
       revoke_one_token, Shape{.status = 204}},
      {"POST", "/v1/account/verification/remittance", "confirmRemittance", "write",
       "Types back the amount that arrived", take_back_remittance,
       Shape{.request = &kRemittance, .answer = &kConfirmed}},
  };
}

}  // namespace hub::api
