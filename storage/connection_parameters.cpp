#include "storage/connection_parameters.h"

#include <libpq-fe.h>

#include <algorithm>
#include <stdexcept>

namespace hub::storage {
namespace {

struct Parameter {
  const char* keyword;
  const char* value;
};

// What applies where the URL is silent.
constexpr Parameter kDefaults[] = {
    {"connect_timeout", "5"},
    {"tcp_user_timeout", "20000"},
    {"keepalives_idle", "20"},
    {"keepalives_interval", "5"},
    {"keepalives_count", "3"},
    {"client_encoding", "UTF8"},
    {"fallback_application_name", "iothub"},
};

}  // namespace

ConnectionParameters connection_parameters(const std::string& url) {
  char* error = nullptr;
  PQconninfoOption* const options = PQconninfoParse(url.c_str(), &error);
  if (options == nullptr) {
    const std::string message = error == nullptr ? "out of memory" : error;
    PQfreemem(error);
    throw std::invalid_argument("the database URL cannot be read: " + message);
  }
  ConnectionParameters out;
  for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
    if (option->val != nullptr) out.emplace_back(option->keyword, option->val);
  }
  PQconninfoFree(options);
  for (const Parameter& preset : kDefaults) {
    const bool given = std::any_of(out.begin(), out.end(),
                                   [&](const auto& p) { return p.first == preset.keyword; });
    if (!given) out.emplace_back(preset.keyword, preset.value);
  }
  return out;
}

std::string to_string(const ConnectionParameters& parameters) {
  std::string out;
  for (const auto& [keyword, value] : parameters) {
    if (!out.empty()) out += ' ';
    out += keyword + "='";
    for (const char c : value) {
      if (c == '\'' || c == '\\') out += '\\';
      out += c;
    }
    out += '\'';
  }
  return out;
}

}  // namespace hub::storage
