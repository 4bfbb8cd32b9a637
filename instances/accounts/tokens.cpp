#include <fmt/format.h>

#include <algorithm>
#include <pqxx/pqxx>

#include "instances/accounts/accounts.h"
#include "instances/core/calendar.h"
#include "instances/core/errc.h"
#include "instances/core/names.h"
#include "instances/core/secrets.h"

namespace hub::instances {
namespace {

constexpr auto kLongestLife = std::chrono::hours{24 * 366};

Token token_of(const pqxx::row& row) {
  return {.id = row["id"].as<std::string>(),
          .name = row["name"].as<std::string>(),
          .scopes = parse_sql_array(row["scopes"].c_str()),
          .created_at = parse_sql_timestamp(row["created_at"].c_str()),
          .expires_at = parse_sql_timestamp(row["expires_at"].c_str()),
          .revoked = !row["revoked_at"].is_null()};
}

void check_scopes(const std::vector<std::string>& scopes) {
  for (const auto& scope : scopes)
    if (scope != "read" && scope != "write" && scope != "pay" && scope != "operator")
      throw Refusal(
          Errc::InvalidRequest,
          fmt::format("'{}' is no scope: there are read, write, pay and operator.", scope));
  if (scopes.empty())
    throw Refusal(Errc::InvalidRequest, "A token needs a scope: read, write, pay or operator.");
}

}  // namespace

IssuedToken create_token(const Call& call, const std::string& account_id, const NewToken& token) {
  check_name("token", token.name);
  check_scopes(token.scopes);
  if (token.expires_at <= call.now || token.expires_at > call.now + kLongestLife)
    throw Refusal(Errc::InvalidRequest, "A token expires after now, and within a year.");
  lock_account(call, account_id);
  const auto have = call.tx.exec_params1(
      "SELECT count(*) FROM api_token WHERE account_id = $1 AND revoked_at IS NULL "
      "AND expires_at > $2",
      account_id, sql(call.now));
  check_quota(call, account_id, "tokens", have[0].as<std::int64_t>(), "valid tokens");
  const auto secret = "iht_" + new_secret();
  const auto row = call.tx.exec_params1(
      "INSERT INTO api_token (id, account_id, name, secret_hash, scopes, created_at, expires_at) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *",
      new_id("tok"), account_id, token.name, pqxx::binarystring(hash(secret)),
      sql_array(token.scopes), sql(call.now), sql(token.expires_at));
  return {token_of(row), secret};
}

std::vector<Token> list_tokens(const Call& call, const std::string& account_id) {
  std::vector<Token> tokens;
  for (const auto& row : call.tx.exec_params(
           "SELECT * FROM api_token WHERE account_id = $1 ORDER BY created_at, id", account_id))
    tokens.push_back(token_of(row));
  return tokens;
}

void revoke_token(const Call& call, const std::string& account_id, const std::string& token_id) {
  const auto done = call.tx.exec_params(
      "UPDATE api_token SET revoked_at = coalesce(revoked_at, $3) WHERE account_id = $1 AND id = "
      "$2",
      account_id, token_id, sql(call.now));
  if (done.affected_rows() == 0)
    throw Refusal(Errc::NotFound, fmt::format("There is no token '{}'.", token_id));
}

bool Principal::has(std::string_view scope) const {
  return std::find(scopes.begin(), scopes.end(), scope) != scopes.end();
}

std::optional<Principal> authenticate(const Call& call, const std::string& secret) {
  const auto found = call.tx.exec_params(
      "SELECT t.id, t.scopes, a.id AS account_id, a.name, a.operator "
      "FROM api_token t JOIN account a ON a.id = t.account_id "
      "WHERE t.secret_hash = $1 AND t.revoked_at IS NULL AND t.expires_at > $2",
      pqxx::binarystring(hash(secret)), sql(call.now));
  if (found.empty()) return std::nullopt;
  const auto row = found[0];
  return Principal{.account_id = row["account_id"].as<std::string>(),
                   .account_name = row["name"].as<std::string>(),
                   .token_id = row["id"].as<std::string>(),
                   .is_operator = row["operator"].as<bool>(),
                   .scopes = parse_sql_array(row["scopes"].c_str())};
}

}  // namespace hub::instances
