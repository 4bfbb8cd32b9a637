#pragma once

#include <string_view>
#include <variant>
#include <vector>

#include "api/manage/turn.h"
#include "http/message.h"
#include "http/schema.h"

// The tables that the API is made of, one for each subject: what is served, checked and described.

namespace hub::api {

using Work = Answer (*)(const Turn&);
using ListWork = PageOf (*)(const Turn&, int offset, int limit);  // the answer is paged
using OpenWork = http::Response (*)(const OpenTurn&);             // open to all

// What goes in beside the path, and what comes out.
struct Shape {
  const http::Schema* request = nullptr;  // null: there is no body
  const http::Schema* answer = nullptr;   // of one, or of each in a list
  int status = 200;                       // when all is well
  std::vector<std::string_view> query{};  // parameters beside the page
};

struct ApiRoute {
  std::string_view method;
  std::string_view path;   // "/v1/vpcs/{vpc}"
  std::string_view id;     // "getVpc"
  std::string_view scope;  // that the token needs; empty with OpenWork
  std::string_view about;  // one sentence
  std::variant<Work, ListWork, OpenWork> work;
  Shape shape{};
};

[[nodiscard]] std::vector<ApiRoute> account_routes();
[[nodiscard]] std::vector<ApiRoute> operator_routes();
[[nodiscard]] std::vector<ApiRoute> money_routes();
[[nodiscard]] std::vector<ApiRoute> operation_routes();
[[nodiscard]] std::vector<ApiRoute> order_routes();
[[nodiscard]] std::vector<ApiRoute> vpc_routes();
[[nodiscard]] std::vector<ApiRoute> subnet_routes();
[[nodiscard]] std::vector<ApiRoute> security_group_routes();
[[nodiscard]] std::vector<ApiRoute> rds_routes();
[[nodiscard]] std::vector<ApiRoute> hub_routes();

}  // namespace hub::api
