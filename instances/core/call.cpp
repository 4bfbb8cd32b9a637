#include "instances/core/call.h"

#include <fmt/format.h>

#include <pqxx/pqxx>

#include "instances/core/errc.h"

namespace hub::instances {

void lock_account(const Call& call, std::string_view account_id) {
  call.tx.exec_params("SELECT 1 FROM account WHERE id = $1 FOR UPDATE", std::string(account_id));
}

void check_quota(const Call& call, std::string_view account_id, const std::string& quota,
                 std::int64_t have, std::string_view what) {
  const auto own =
      call.tx.exec_params("SELECT value FROM quota_override WHERE account_id = $1 AND name = $2",
                          std::string(account_id), quota);
  const auto limit = own.empty() ? call.settings.quotas.at(quota) : own[0][0].as<std::int64_t>();
  if (have < limit) return;
  throw Refusal(Errc::QuotaExceeded,
                fmt::format("The quota '{}' allows {} {}, and there are {}. Delete one, or ask the "
                            "operator for a larger quota.",
                            quota, limit, what, have));
}

void set_quota(const Call& call, const std::string& account_id, const std::string& quota,
               std::int64_t limit) {
  if (!call.settings.quotas.contains(quota) || limit < 0) {
    std::string names;
    for (const auto& [name, value] : call.settings.quotas) names += " " + name;
    throw Refusal(Errc::InvalidRequest, fmt::format("A quota is 0 or more, and one of:{}.", names));
  }
  call.tx.exec_params(
      "INSERT INTO quota_override VALUES ($1, $2, $3) "
      "ON CONFLICT (account_id, name) DO UPDATE SET value = excluded.value",
      account_id, quota, limit);
}

std::string sql_array(const std::vector<std::string>& items) {
  std::string text = "{";
  for (const auto& item : items) {
    if (text.size() > 1) text += ',';
    text += '"';
    for (const char c : item) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text + "}";
}

std::vector<std::string> parse_sql_array(std::string_view text) {
  std::vector<std::string> items;
  const std::string copy(text);
  pqxx::array_parser reader{copy.c_str()};
  for (auto [what, item] = reader.get_next(); what != pqxx::array_parser::done;
       std::tie(what, item) = reader.get_next())
    if (what == pqxx::array_parser::string_value) items.push_back(item);
  return items;
}

}  // namespace hub::instances
