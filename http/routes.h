#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "http/schema.h"

namespace hub::http {

struct Route;

// A request that a route took.
struct RouteRequest {
  const Request& http;
  const Route& route;
  std::map<std::string, std::string> parameters;  // of the path
  boost::json::object body;                       // checked against the route's schema
};

// One operation of the API. The table of them is what is served, and what is described.
struct Route {
  std::string_view method;
  std::string_view path;     // "/v1/vpcs/{vpc}"
  std::string_view id;       // "getVpc"
  std::string_view about{};  // one sentence
  std::string_view scope{};  // that a token needs; empty: open to all
  const Schema* request = nullptr;
  const Schema* answer = nullptr;         // of one, or of each in a list
  bool is_list = false;                   // paged: pageNumber, pageSize
  int status = 200;                       // when all is well
  std::vector<std::string_view> query{};  // parameters beside the page
  std::function<Response(const RouteRequest&)> handler;
};

// Finds the route of a request, checks its body, and calls the handler. Problems become answers;
// what else is thrown becomes a 500 that tells nothing, and a line in the log.
class Router {
 public:
  explicit Router(std::vector<Route> routes);

  [[nodiscard]] Response handle(const Request& request) const;
  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

// The description of the routes, OpenAPI 3.1.
[[nodiscard]] boost::json::object describe(const std::vector<Route>& routes, std::string_view title,
                                           std::string_view version);

}  // namespace hub::http
