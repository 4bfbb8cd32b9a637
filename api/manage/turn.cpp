#include "api/manage/turn.h"

#include <charconv>

#include "http/problem.h"

namespace hub::api {

std::optional<std::int64_t> Turn::expected_version() const {
  auto header = request.http.header("if-match");
  if (header.empty() || header == "*") return std::nullopt;
  std::int64_t version = 0;
  if (header.size() > 2 && header.front() == '"' && header.back() == '"') {
    header = header.substr(1, header.size() - 2);
    const auto [end, error] =
        std::from_chars(header.data(), header.data() + header.size(), version);
    if (error == std::errc{} && end == header.data() + header.size()) return version;
  }
  throw http::Problem::invalid("If-Match is the ETag that the resource had, such as \"3\".");
}

std::string Turn::query(const char* name) const {
  const auto found = request.http.query.find(name);
  return found == request.http.query.end() ? "" : found->second;
}

std::string Turn::text(const char* name, const char* otherwise) const {
  const auto* value = request.body.if_contains(name);
  return value ? std::string(value->get_string()) : otherwise;
}

std::int64_t Turn::integer(const char* name, std::int64_t otherwise) const {
  const auto* value = request.body.if_contains(name);
  return value ? value->get_int64() : otherwise;
}

std::vector<std::string> Turn::texts(const char* name) const {
  std::vector<std::string> items;
  if (const auto* value = request.body.if_contains(name))
    for (const auto& item : value->get_array()) items.emplace_back(item.get_string());
  return items;
}

Answer started(const std::string& operation_id) {
  return {boost::json::object{{"operationId", operation_id}}};
}

}  // namespace hub::api
