#include "api/manage/manage_api.h"

#include <fmt/format.h>

#include <algorithm>
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

Principal require_principal(const Call& call, const http::Request& request) {
  const auto secret = bearer_of(request);
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

}  // namespace

ManageApi::ManageApi(Parts parts)
    : parts_(std::move(parts)), router_([this] {
        std::vector<http::Route> routes;
        add_account_routes(*this, routes);
        add_operator_routes(*this, routes);
        add_money_routes(*this, routes);
        add_network_routes(*this, routes);
        add_rds_routes(*this, routes);
        add_hub_routes(*this, routes);
        const auto text = std::make_shared<std::string>();
        routes.push_back({.method = "GET",
                          .path = "/v1/openapi.json",
                          .id = "getDescription",
                          .about = "This description",
                          .scope = "",
                          .query = {},
                          .handler = [text](const http::RouteRequest&) {
                            return http::Response{200, *text, "application/json", {}};
                          }});
        *text = json::serialize(http::describe(routes, "IoT hub control plane", parts_.version));
        return routes;
      }()) {}

Problem ManageApi::to_problem(const Refusal& refusal) {
  return {http_status_of(refusal.code()), std::string(name_of(refusal.code())),
          std::string(title_of(refusal.code())), refusal.what()};
}

http::Response ManageApi::run(const http::RouteRequest& request, const Work& work) {
  const auto& sent = request.http;
  const auto secret = bearer_of(sent);
  auto& limiter = secret.empty() ? strangers_ : callers_;
  if (!limiter.admit(secret.empty() ? sent.remote_address : secret,
                     http::RateLimiter::Clock::now()))
    throw to_problem({Errc::RateLimited, "Too many calls. Wait a second, and go slower."});
  return transact([&](const Call& call) -> http::Response {
    const auto principal = require_principal(call, sent);
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
    auto answer = work({call, principal, account, request});
    http::Response response{request.route.status, "", "application/json", {}};
    if (response.status != 204) response.body = json::serialize(answer.body);
    if (answer.version)
      response.headers.emplace_back("ETag", fmt::format("\"{}\"", *answer.version));
    if (!key.empty() && !answer.secret)
      keep_answer(call, account, key, whole, {response.status, response.body});
    return response;
  });
}

std::function<http::Response(const http::RouteRequest&)> ManageApi::signed_in(Work work) {
  return [this, work = std::move(work)](const http::RouteRequest& request) {
    return run(request, work);
  };
}

std::function<http::Response(const http::RouteRequest&)> ManageApi::list(ListWork work) {
  return signed_in([work = std::move(work)](const Turn& turn) {
    const int number = page_parameter(turn.request.http, "pageNumber", 1, 1, 1'000'000);
    const int size = page_parameter(turn.request.http, "pageSize", 10, 1, kMaxPageSize);
    auto page = work(turn, (number - 1) * size, size);
    json::array items;
    for (auto& item : page.items) items.push_back(std::move(item));
    return Answer{{{"items", std::move(items)},
                   {"page", json::object{{"pageNumber", number},
                                         {"pageSize", size},
                                         {"totalSize", page.total},
                                         {"totalPage", (page.total + size - 1) / size}}}},
                  {},
                  false};
  });
}

std::function<http::Response(const http::RouteRequest&)> ManageApi::open(
    std::function<http::Response(const http::RouteRequest&)> work) {
  return [this, work = std::move(work)](const http::RouteRequest& request) {
    if (!strangers_.admit(request.http.remote_address, http::RateLimiter::Clock::now()))
      throw to_problem({Errc::RateLimited, "Too many calls. Wait a second, and go slower."});
    return guarded([&] { return work(request); });
  };
}

std::optional<std::int64_t> ManageApi::Turn::expected_version() const {
  auto header = request.http.header("if-match");
  if (header.empty() || header == "*") return std::nullopt;
  std::int64_t version = 0;
  if (header.size() > 2 && header.front() == '"' && header.back() == '"') {
    header = header.substr(1, header.size() - 2);
    const auto [end, error] =
        std::from_chars(header.data(), header.data() + header.size(), version);
    if (error == std::errc{} && end == header.data() + header.size()) return version;
  }
  throw Problem::invalid("If-Match is the ETag that the resource had, such as \"3\".");
}

std::string ManageApi::Turn::query(const char* name) const {
  const auto found = request.http.query.find(name);
  return found == request.http.query.end() ? "" : found->second;
}

std::string ManageApi::Turn::text(const char* name, const char* otherwise) const {
  const auto* value = request.body.if_contains(name);
  return value ? std::string(value->get_string()) : otherwise;
}

std::int64_t ManageApi::Turn::integer(const char* name, std::int64_t otherwise) const {
  const auto* value = request.body.if_contains(name);
  return value ? value->get_int64() : otherwise;
}

std::vector<std::string> ManageApi::Turn::texts(const char* name) const {
  std::vector<std::string> items;
  if (const auto* value = request.body.if_contains(name))
    for (const auto& item : value->get_array()) items.emplace_back(item.get_string());
  return items;
}

}  // namespace hub::api
