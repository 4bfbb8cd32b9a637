#include "instances/accounts/accounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <pqxx/pqxx>

#include "instances/core/calendar.h"
#include "instances/core/errc.h"
#include "instances/core/names.h"
#include "instances/core/secrets.h"

namespace hub::instances {
namespace {

constexpr auto kAccountColumns = R"(
  SELECT a.id, a.name, a.operator, a.created_at,
         coalesce(v.kind || ' ' || v.status, 'unverified') AS verification
  FROM account a LEFT JOIN verification v ON v.account_id = a.id )";

Account account_of(const pqxx::row& row) {
  return {.id = row["id"].as<std::string>(),
          .name = row["name"].as<std::string>(),
          .is_operator = row["operator"].as<bool>(),
          .verification = row["verification"].as<std::string>(),
          .created_at = parse_sql_timestamp(row["created_at"].c_str())};
}

Account insert_account(const Call& call, const std::string& name,
                       const std::optional<std::string>& password_hash, bool is_operator) {
  const auto id = new_id("acc");
  const auto made = call.tx.exec_params(
      "INSERT INTO account (id, name, password_hash, operator, created_at) "
      "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING",
      id, name, password_hash, is_operator, sql(call.now));
  if (made.affected_rows() == 0)
    throw Refusal(Errc::DuplicateName,
                  fmt::format("The account name '{}' is taken. Choose another one.", name));
  call.tx.exec_params("INSERT INTO ledger_account (account_id, kind) VALUES ($1, 'cash')", id);
  return find_account(call, id);
}

}  // namespace

Account create_account(const Call& call, const std::string& name,
                       const std::optional<std::string>& password_hash) {
  check_account_name(name);
  return insert_account(call, name, password_hash, false);
}

Account ensure_operator(const Call& call) {
  const auto found = call.tx.exec(std::string(kAccountColumns) + "WHERE a.operator LIMIT 1");
  if (!found.empty()) return account_of(found[0]);
  return insert_account(call, "operator", std::nullopt, true);
}

Account find_account(const Call& call, const std::string& id_or_name) {
  const auto found = call.tx.exec_params(
      std::string(kAccountColumns) + "WHERE a.id = $1 OR a.name = $1", id_or_name);
  if (found.empty())
    throw Refusal(Errc::NotFound, fmt::format("There is no account '{}'.", id_or_name));
  return account_of(found[0]);
}

std::vector<Account> list_accounts(const Call& call, const std::string& after, int limit) {
  std::vector<Account> accounts;
  for (const auto& row : call.tx.exec_params(
           std::string(kAccountColumns) + "WHERE a.name > $1 ORDER BY a.name LIMIT $2", after,
           limit))
    accounts.push_back(account_of(row));
  return accounts;
}

SignIn begin_sign_in(const Call& call, const std::string& name) {
  // Of a random password: no one signs in with it.
  static const std::string kNobody = hash_password(new_secret());
  const auto found = call.tx.exec_params(
      "SELECT id, password_hash, sign_in_frozen_until FROM account WHERE name = $1", name);
  if (found.empty()) return {"", kNobody};
  const auto row = found[0];
  if (!row["sign_in_frozen_until"].is_null()) {
    const auto until = parse_sql_timestamp(row["sign_in_frozen_until"].c_str());
    if (until > call.now)
      throw Refusal(
          Errc::SignInFrozen,
          fmt::format("Too many wrong passwords in a row: sign-in to '{}' is frozen until "
                      "{}. Try again then; API tokens keep working.",
                      name, to_iso8601(until)));
  }
  if (row["password_hash"].is_null()) return {"", kNobody};
  return {row["id"].as<std::string>(), row["password_hash"].as<std::string>()};
}

bool end_sign_in(const Call& call, const SignIn& sign_in, bool password_was_right) {
  if (sign_in.account_id.empty()) return false;
  if (password_was_right) {
    call.tx.exec_params(
        "UPDATE account SET wrong_passwords = 0, sign_in_frozen_until = NULL WHERE id = $1",
        sign_in.account_id);
    return true;
  }
  call.tx.exec_params(
      "UPDATE account SET "
      "  wrong_passwords = CASE WHEN wrong_passwords + 1 >= $2 THEN 0 ELSE wrong_passwords + 1 END,"
      "  sign_in_frozen_until = CASE WHEN wrong_passwords + 1 >= $2 THEN $3::timestamptz"
      "                              ELSE sign_in_frozen_until END "
      "WHERE id = $1",
      sign_in.account_id, call.settings.wrong_passwords,
      sql(call.now + call.settings.sign_in_freeze));
  return false;
}

}  // namespace hub::instances
