#include "manage/client.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>

#include "http/client.h"
#include "instances/core/secrets.h"

namespace hub::manage {
namespace {

namespace json = boost::json;

struct Place {
  std::string host;
  std::uint16_t port = 80;
};

Place parse_url(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  const auto wrong = [&] {
    return std::runtime_error(
        fmt::format("'{}' is no address of a control plane, such as http://127.0.0.1:7880", url));
  };
  if (!url.starts_with(kScheme)) throw wrong();
  auto rest = url.substr(kScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const auto colon = rest.rfind(':');
  Place place{std::string(rest.substr(0, colon))};
  if (colon != std::string_view::npos) {
    const auto port = rest.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), place.port);
    if (error != std::errc{} || end != port.data() + port.size()) throw wrong();
  }
  if (place.host.empty()) throw wrong();
  return place;
}

[[noreturn]] void refuse(const http::Response& response, const std::string& path) {
  json::error_code error;
  const auto value = json::parse(response.body, error);
  if (!error && value.is_object()) {
    const auto& problem = value.get_object();
    throw Refusal(shown(problem, "code"), shown(problem, "detail"));
  }
  throw std::runtime_error(fmt::format("{} was answered by {}", path, response.status));
}

}  // namespace

json::object Client::post(const std::string& path, const json::object& body) {
  const auto key = instances::new_secret();
  try {
    return call("POST", path, body, key);
  } catch (const Refusal&) {
    throw;
  } catch (const std::runtime_error&) {
    return call("POST", path, body, key);  // the answer was lost: ask once more
  }
}

json::array Client::list(const std::string& path) {
  json::array all;
  const char joint = path.find('?') == std::string::npos ? '?' : '&';
  for (int page = 1;; ++page) {
    const auto answer = get(fmt::format("{}{}pageNumber={}&pageSize=100", path, joint, page));
    for (const auto& item : answer.at("items").as_array()) all.push_back(item);
    if (page >= answer.at("page").at("totalPage").as_int64()) return all;
  }
}

json::object Client::call(const std::string& method, const std::string& path,
                          const json::object& body, const std::string& key) {
  const auto place = parse_url(profile_.url);
  http::Request request{method, path, {}, {}, "", ""};
  if (!body.empty()) request.body = json::serialize(body);
  if (!profile_.token.empty()) request.headers["Authorization"] = "Bearer " + profile_.token;
  if (!profile_.account.empty()) request.headers["X-Account"] = profile_.account;
  if (!key.empty()) request.headers["Idempotency-Key"] = key;
  const auto response = http::call(place.host, place.port, request);
  if (response.status >= 400) refuse(response, path);
  if (response.body.empty()) return {};
  return json::parse(response.body).as_object();
}

std::string url_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string shown(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (!value) return "";
  if (value->is_string()) return std::string(value->get_string());
  if (value->is_bool()) return value->get_bool() ? "yes" : "no";
  if (!value->is_array()) return json::serialize(*value);
  std::string joined;
  for (const auto& item : value->get_array())
    joined += (joined.empty() ? "" : ",") +
              (item.is_string() ? std::string(item.get_string()) : json::serialize(item));
  return joined;
}

}  // namespace hub::manage
