#include "http/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>

#include "base/log.h"
#include "http/problem.h"

namespace hub::http {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 16;  // of a body's JSON

std::string_view take_segment(std::string_view& path) {
  if (!path.empty() && path.front() == '/') path.remove_prefix(1);
  const auto end = std::min(path.find('/'), path.size());
  const auto segment = path.substr(0, end);
  path.remove_prefix(end);
  return segment;
}

// The path's parameters, when it is of the pattern. A pattern's segment may end in ":verb".
std::optional<std::map<std::string, std::string>> match(std::string_view pattern,
                                                        std::string_view path) {
  std::map<std::string, std::string> parameters;
  while (!pattern.empty() && !path.empty()) {
    const auto expected = take_segment(pattern);
    auto segment = take_segment(path);
    if (!expected.starts_with('{')) {
      if (expected != segment) return std::nullopt;
      continue;
    }
    const auto close = expected.find('}');
    const auto verb = expected.substr(close + 1);
    if (verb.empty() ? segment.find(':') != std::string_view::npos : !segment.ends_with(verb))
      return std::nullopt;
    segment.remove_suffix(verb.size());
    if (segment.empty()) return std::nullopt;
    parameters.emplace(expected.substr(1, close - 1), segment);
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return parameters;
}

json::object parse_body(const Route& route, const Request& request) {
  if (!route.request) {
    if (!request.body.empty()) throw Problem::invalid("This call takes no body. Leave it out.");
    return {};
  }
  json::parse_options options;
  options.max_depth = kMaxDepth;
  json::error_code error;
  const auto value = json::parse(request.body.empty() ? "{}" : request.body, error, {}, options);
  if (error) throw Problem::invalid(fmt::format("The body is not JSON: {}.", error.message()));
  if (!value.is_object()) throw Problem::invalid("The body is a JSON object.");
  check(*route.request, value.get_object());
  return value.get_object();
}

Response not_found(const Request& request) {
  return Problem{
      404, "NotFound", "There is no such resource",
      fmt::format("There is nothing at {}. /v1/openapi.json lists what there is.", request.path)}
      .response(request.path);
}

}  // namespace

Router::Router(std::vector<Route> routes) : routes_(std::move(routes)) {}

Response Router::handle(const Request& request) const {
  try {
    std::string allowed;
    for (const auto& route : routes_) {
      auto parameters = match(route.path, request.path);
      if (!parameters) continue;
      if (route.method != request.method) {
        if (!allowed.empty()) allowed += ", ";
        allowed += route.method;
        continue;
      }
      return route.handler({request, route, std::move(*parameters), parse_body(route, request)});
    }
    if (allowed.empty()) return not_found(request);
    auto response = Problem{405, "MethodNotAllowed", "The resource does not take this method",
                            fmt::format("{} takes {}.", request.path, allowed)}
                        .response(request.path);
    response.headers.emplace_back("Allow", allowed);
    return response;
  } catch (const Problem& problem) {
    return problem.response(request.path);
  } catch (const std::exception& error) {
    log::error("{} {} failed: {}", request.method, request.path, error.what());
    return Problem{500, "InternalError", "The request could not be carried out",
                   "The reason is in the program's log. Try again; tell the operator if it stays."}
        .response(request.path);
  }
}

}  // namespace hub::http
