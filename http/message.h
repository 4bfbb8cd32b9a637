#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hub::http {

// A request and its answer, as routes and handlers see them: no socket, no library.
struct Request {
  std::string method;  // "GET"
  std::string path;    // "/v1/vpcs/plant", decoded
  std::map<std::string, std::string> query;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string remote_address;

  // Empty when there is none. Name in lower case.
  [[nodiscard]] std::string_view header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string_view{} : found->second;
  }
};

struct Response {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
};

using Handler = std::function<Response(const Request&)>;

// Takes a request target apart: "/a%20b?x=1" is the path "/a b" and x=1. False for one that is not
// well-formed.
[[nodiscard]] bool parse_target(std::string_view target, Request& request);

}  // namespace hub::http
