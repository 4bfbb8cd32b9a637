#pragma once

#include <string>
#include <string_view>

#include "base/message.h"
#include "instances/core/database.h"
#include "instances/core/settings.h"

namespace hub::instances {

// What every function of the domain is given: it reads and writes by `tx` alone, so that whatever a
// caller does in one transaction happens whole or not at all.
struct Call {
  Tx& tx;
  Timestamp now;
  const Settings& settings;
};

// Makes the changes of one account take turns, until the transaction ends: checks of names, quotas,
// addresses and balances that follow hold until the commit.
void lock_account(const Call& call, std::string_view account_id);

// Throws Refusal(QuotaExceeded) when `have` resources are as many as the account may have.
void check_quota(const Call& call, std::string_view account_id, const std::string& quota,
                 std::int64_t have, std::string_view what);

// The account's own limit, instead of the one of the settings. Throws Refusal(InvalidRequest) for a
// quota that there is not.
void set_quota(const Call& call, const std::string& account_id, const std::string& quota,
               std::int64_t limit);

// A PostgreSQL array of text: {"a","b"}.
[[nodiscard]] std::string sql_array(const std::vector<std::string>& items);
[[nodiscard]] std::vector<std::string> parse_sql_array(std::string_view text);

}  // namespace hub::instances
