#include "api/manage/manage_api.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <charconv>

#include "instances/core/idempotency.h"

namespace hub::api {
namespace {

namespace json = boost::json;
using namespace instances;
using http::Problem;

constexpr int kMaxPageSize = 100;

std::string bearer_of(const http::Request& request) {
  const auto header = request.header("authorization");
  constexpr std::string_view kScheme = "Bearer ";
  return header.starts_with(kScheme) ? std::string(header.substr(kScheme.size())) : "";
}

Principal require_principal(const Call& call, const std::string& secret) {
  if (secret.empty())
    throw Refusal(Errc::Unauthorized,
                  "The call needs a token: Authorization: Bearer <token>. Sign in with POST "
                  "/v1/sessions.");
  auto principal = authenticate(call, secret);
  if (!principal)
    throw Refusal(Errc::Unauthorized,
                  "The token is unknown, revoked or has expired. Sign in again.");
  return *std::move(principal);
}

void require_scope(const Principal& principal, std::string_view scope) {
  const bool needs_operator = scope == "operator";
  if (principal.has(scope) && (!needs_operator || principal.is_operator)) return;
  throw Refusal(
      Errc::Forbidden,
      needs_operator
          ? std::string("Only the operator of this installation may do this.")
          : fmt::format("The token's scopes do not have '{}'. Use one that has it.", scope));
}

// In whose name: the caller's, or the account that an operator names.
std::string acting_account(const Call& call, const Principal& principal,
                           const http::Request& request) {
  const auto named = request.header("x-account");
  if (named.empty() || named == principal.account_name) return principal.account_id;
  require_scope(principal, "operator");
  return find_account(call, std::string(named)).id;
}

int page_parameter(const http::Request& request, const char* name, int otherwise, int min,
                   int max) {
  const auto found = request.query.find(name);
  if (found == request.query.end()) return otherwise;
  int value = 0;
  const auto& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < min || value > max)
    throw Problem::invalid(fmt::format("'{}' is a number from {} to {}.", name, min, max));
  return value;
}

Problem to_problem(const Refusal& refusal) {
  return {http_status_of(refusal.code()), std::string(name_of(refusal.code())),
          std::string(title_of(refusal.code())), refusal.what()};
}

// What `work` gives; a Refusal becomes a Problem.
template <class F>
auto guarded(F&& work) {
  try {
    return work();
  } catch (const Refusal& refusal) {
    throw to_problem(refusal);
  }
}

void admit(http::RateLimiter& limiter, const std::string& caller) {
  if (!limiter.admit(caller, http::RateLimiter::Clock::now()))
    throw to_problem({Errc::RateLimited, "Too many calls. Wait a second, and go slower."});
}

}  // namespace

ManageApi::ManageApi(ManageParts parts) : parts_(std::move(parts)), router_(routes()) {}

std::vector<http::Route> ManageApi::routes() {
  std::vector<http::Route> routes;
  for (const auto table :
       {account_routes, operator_routes, money_routes, operation_routes, order_routes, vpc_routes,
        subnet_routes, security_group_routes, rds_routes, hub_routes})
    for (const auto& row : table()) routes.push_back(route_of(row));
  const auto text = std::make_shared<std::string>();
  routes.push_back({.method = "GET",
                    .path = "/v1/openapi.json",
                    .id = "getDescription",
                    .about = "This description",
                    .handler = [text](const http::RouteRequest&) {
                      return http::Response{200, *text, "application/json", {}};
                    }});
  *text = json::serialize(http::describe(routes, "IoT hub control plane", parts_.version));
  return routes;
}

http::Route ManageApi::route_of(const ApiRoute& row) {
  return {.method = row.method,
          .path = row.path,
          .id = row.id,
          .about = row.about,
          .scope = row.scope,
          .request = row.shape.request,
          .answer = row.shape.answer,
          .is_list = std::holds_alternative<ListWork>(row.work),
          .status = row.shape.status,
          .query = row.shape.query,
          .handler = std::visit([this](auto work) { return handler_of(work); }, row.work)};
}

ManageApi::Handler ManageApi::handler_of(Work work) {
  return [this, work](const http::RouteRequest& request) { return run(request, work); };
}

ManageApi::Handler ManageApi::handler_of(ListWork work) {
  const auto paged = [work](const Turn& turn) {
    const int number = page_parameter(turn.request.http, "pageNumber", 1, 1, 1'000'000);
    const int size = page_parameter(turn.request.http, "pageSize", 10, 1, kMaxPageSize);
    auto page = work(turn, (number - 1) * size, size);
    json::array items;
    for (auto& item : page.items) items.push_back(std::move(item));
    return Answer{
        json::object{{"items", std::move(items)},
                     {"page", json::object{{"pageNumber", number},
                                           {"pageSize", size},
                                           {"totalSize", page.total},
                                           {"totalPage", (page.total + size - 1) / size}}}}};
  };
  return [this, paged](const http::RouteRequest& request) { return run(request, paged); };
}

// Limited by address.
ManageApi::Handler ManageApi::handler_of(OpenWork work) {
  return [this, work](const http::RouteRequest& request) {
    admit(strangers_, request.http.remote_address);
    return guarded([&] { return work({parts_, request}); });
  };
}

http::Response ManageApi::run(const http::RouteRequest& request,
                              const std::function<Answer(const Turn&)>& work) {
  const auto& sent = request.http;
  const auto secret = bearer_of(sent);
  if (secret.empty())
    admit(strangers_, sent.remote_address);
  else
    admit(callers_, secret);
  return guarded([&] {
    return parts_.transact([&](const Call& call) -> http::Response {
      const auto principal = require_principal(call, secret);
      require_scope(principal, request.route.scope);
      const auto account = acting_account(call, principal, sent);
      const std::string key(sent.method == "POST" ? sent.header("idempotency-key") : "");
      const auto whole = sent.method + " " + sent.path + "\n" + sent.body;
      if (!key.empty())
        if (auto kept = find_answer(call, account, key, whole))
          return {kept->status,
                  std::move(kept->body),
                  "application/json",
                  {{"Idempotent-Replayed", "true"}}};
      auto answer = work({parts_, request, call, principal, account});
      http::Response response{request.route.status, "", "application/json", {}};
      if (response.status != 204) response.body = json::serialize(answer.body);
      if (answer.version)
        response.headers.emplace_back("ETag", fmt::format("\"{}\"", *answer.version));
      if (!key.empty() && !answer.secret)
        keep_answer(call, account, key, whole, {response.status, response.body});
      return response;
    });
  });
}

}  // namespace hub::api
