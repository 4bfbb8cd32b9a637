#include <boost/json/serialize.hpp>

#include "api/manage/manage_api.h"
#include "api/manage/shapes.h"
#include "instances/core/calendar.h"
#include "instances/core/secrets.h"
#include "instances/money/prices.h"
#include "instances/networks/regions.h"

namespace hub::api {
namespace {

namespace json = boost::json;
using namespace instances;
using http::Problem;
using http::Schema;
using F = http::FieldType;
using Turn = ManageApi::Turn;
using Answer = ManageApi::Answer;

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
const Schema kRegion{"Region",
                     {{"id", F::text, true, ""},
                      {"city", F::text, true, ""},
                      {"zones", F::texts, true, ""},
                      {"offersHubs", F::boolean, true, ""}}};
const Schema kRegions{"Regions", {{"items", F::objects, true, "", &kRegion}}};

std::string field(const http::RouteRequest& request, const char* name) {
  return std::string(request.body.at(name).get_string());
}

std::string checked_password(const http::RouteRequest& request) {
  auto password = field(request, "password");
  if (password.size() < kMinPassword || password.size() > kMaxPassword)
    throw Problem::invalid("A password has 8 to 128 characters.");
  return password;
}

http::Response created(const json::object& body) {
  return {201, json::serialize(body), "application/json", {}};
}

http::Response register_account(const ManageApi& api, const http::RouteRequest& request) {
  const auto hashed = hash_password(checked_password(request));
  const auto account = api.transact(
      [&](const Call& call) { return create_account(call, field(request, "name"), hashed); });
  return created(shapes::of(account));
}

http::Response sign_in(const ManageApi& api, const http::RouteRequest& request) {
  const auto name = field(request, "name");
  const auto begun = api.transact([&](const Call& call) { return begin_sign_in(call, name); });
  const bool right = verify_password(begun.password_hash, field(request, "password"));
  const auto issued = api.transact([&](const Call& call) -> std::optional<IssuedToken> {
    if (!end_sign_in(call, begun, right)) return std::nullopt;
    std::vector<std::string> scopes{"read", "write", "pay"};
    if (find_account(call, begun.account_id).is_operator) scopes.emplace_back("operator");
    return create_token(call, begun.account_id, {"session", scopes, call.now + kSessionLife});
  });
  if (!issued)
    throw Problem{401, "SignInFailed", "Wrong name or password",
                  "The name or the password is wrong. Check both."};
  return created(shapes::of(*issued));
}

json::object list_of_regions() {
  json::array items;
  for (const auto& region : regions())
    items.push_back(json::object{{"id", region.id},
                                 {"city", region.city},
                                 {"zones", json::array(region.zones.begin(), region.zones.end())},
                                 {"offersHubs", region.offers_hubs}});
  return {{"items", std::move(items)}};
}

Answer request_one(const Turn& turn, Verifier& verifier) {
  const auto kind = turn.text("kind");
  if (kind != "personal" && kind != "enterprise")
    throw Problem::invalid("'kind' is personal or enterprise.");
  return {shapes::of(request_verification(turn.call, verifier, turn.account,
                                          {kind == "enterprise", turn.text("subject"),
                                           turn.text("identityNumber"), turn.text("details")})),
          {},
          false};
}

Answer issue_token(const Turn& turn) {
  const auto days = turn.integer("days", 30);
  const auto scopes = turn.texts("scopes");
  for (const auto& scope : scopes)  // no token makes a mightier one
    if (!turn.principal.has(scope))
      throw Problem{403, "Forbidden", "The token does not allow this call",
                    "A token can be given only scopes that the caller's own has."};
  if (days < 1 || days > 366) throw Problem::invalid("'days' is 1 to 366.");
  return {shapes::of(create_token(
              turn.call, turn.account,
              {turn.text("name"), scopes, turn.call.now + std::chrono::hours{24 * days}})),
          {},
          true};
}

}  // namespace

void add_account_routes(ManageApi& api, std::vector<http::Route>& routes) {
  routes.push_back({.method = "GET",
                    .path = "/v1/regions",
                    .id = "listRegions",
                    .about = "The regions, their zones and what they offer",
                    .scope = "",
                    .answer = &kRegions,
                    .query = {},
                    .handler = api.open([](const http::RouteRequest&) {
                      return http::Response{
                          200, json::serialize(list_of_regions()), "application/json", {}};
                    })});
  routes.push_back({.method = "POST",
                    .path = "/v1/accounts",
                    .id = "createAccount",
                    .about = "Makes an account",
                    .scope = "",
                    .request = &kNewAccount,
                    .answer = &shapes::account,
                    .status = 201,
                    .query = {},
                    .handler = api.open([&api](const http::RouteRequest& request) {
                      return register_account(api, request);
                    })});
  routes.push_back({.method = "POST",
                    .path = "/v1/sessions",
                    .id = "signIn",
                    .about = "Signs in: gives a token for some hours",
                    .scope = "",
                    .request = &kSignIn,
                    .answer = &shapes::issued_token,
                    .status = 201,
                    .query = {},
                    .handler = api.open([&api](const http::RouteRequest& request) {
                      return sign_in(api, request);
                    })});
  routes.push_back({.method = "GET",
                    .path = "/v1/account",
                    .id = "getAccount",
                    .about = "The caller's own account",
                    .scope = "read",
                    .answer = &shapes::account,
                    .query = {},
                    .handler = api.signed_in([](const Turn& turn) {
                      return Answer{shapes::of(find_account(turn.call, turn.account)), {}, false};
                    })});
  routes.push_back({.method = "GET",
                    .path = "/v1/account/verification",
                    .id = "getVerification",
                    .about = "How far the verification is",
                    .scope = "read",
                    .answer = &shapes::verification,
                    .query = {},
                    .handler = api.signed_in([](const Turn& turn) {
                      return Answer{
                          shapes::of(get_verification(turn.call, turn.account)), {}, false};
                    })});
  routes.push_back({.method = "POST",
                    .path = "/v1/account/verification",
                    .id = "requestVerification",
                    .about = "Asks for the identity to be verified",
                    .scope = "write",
                    .request = &kVerification,
                    .answer = &shapes::verification,
                    .status = 201,
                    .query = {},
                    .handler = api.signed_in([&api](const Turn& turn) {
                      return request_one(turn, api.parts().verifier);
                    })});
  routes.push_back({.method = "GET",
                    .path = "/v1/tokens",
                    .id = "listTokens",
                    .about = "The account's tokens, without their secrets",
                    .scope = "read",
                    .answer = &shapes::token,
                    .is_list = true,
                    .query = {},
                    .handler = api.list([](const Turn& turn, int offset, int limit) {
                      return page_of(list_tokens(turn.call, turn.account), offset, limit,
                                     [](const Token& t) { return shapes::of(t); });
                    })});
  routes.push_back({.method = "POST",
                    .path = "/v1/tokens",
                    .id = "createToken",
                    .about = "Makes a token; its secret is told this once",
                    .scope = "write",
                    .request = &kNewToken,
                    .answer = &shapes::issued_token,
                    .status = 201,
                    .query = {},
                    .handler = api.signed_in(issue_token)});
  routes.push_back({.method = "DELETE",
                    .path = "/v1/tokens/{token}",
                    .id = "revokeToken",
                    .about = "Revokes a token, at once",
                    .scope = "write",
                    .status = 204,
                    .query = {},
                    .handler = api.signed_in([](const Turn& turn) {
                      revoke_token(turn.call, turn.account, turn.parameter("token"));
                      return Answer{};
                    })});
  // A wrong amount is counted, so it must not be rolled back: it is an answer, not a problem.
  static const Schema kConfirmed{"RemittanceResult",
                                 {{"verified", F::boolean, true, "Whether it was the amount"}}};
  routes.push_back(
      {.method = "POST",
       .path = "/v1/account/verification/remittance",
       .id = "confirmRemittance",
       .about = "Types back the amount that arrived",
       .scope = "write",
       .request = &kRemittance,
       .answer = &kConfirmed,
       .query = {},
       .handler = api.signed_in([](const Turn& turn) {
         const auto amount = parse_payment(turn.text("amount"));
         if (!amount) throw Problem::invalid("'amount' is an amount, such as 0.37.");
         return Answer{
             {{"verified", confirm_remittance(turn.call, turn.account, *amount)}}, {}, false};
       })});
}

}  // namespace hub::api
