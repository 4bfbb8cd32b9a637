#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "instances/core/call.h"

namespace hub::instances {

struct Account {
  std::string id;
  std::string name;
  bool is_operator = false;
  std::string verification;  // "unverified", or "personal" or "enterprise" and its status
  Timestamp created_at;
};

// Throws Refusal: InvalidRequest, DuplicateName. `password_hash` as of hash_password().
Account create_account(const Call& call, const std::string& name,
                       const std::optional<std::string>& password_hash);

// The operator's account: made at the first start, free of quotas' purpose and of verification.
Account ensure_operator(const Call& call);

// By id or by name. Throws Refusal(NotFound).
Account find_account(const Call& call, const std::string& id_or_name);
std::vector<Account> list_accounts(const Call& call, const std::string& after, int limit);

// Sign-in is two calls, as checking a password takes a while and must hold no transaction.
struct SignIn {
  std::string account_id;     // empty: no such account; check the hash all the same, so that the
  std::string password_hash;  // time that it takes does not tell
};
// Throws Refusal(SignInFrozen).
SignIn begin_sign_in(const Call& call, const std::string& name);
// True when the password was right. A wrong one counts, and freezes sign-in after some in a row.
bool end_sign_in(const Call& call, const SignIn& sign_in, bool password_was_right);

// --- API tokens ---

// What a token allows: "read" what is the account's; "write": make, change and delete; "pay":
// orders, renewals; "operator": other accounts' money and verification, for operators only.
struct NewToken {
  std::string name;
  std::vector<std::string> scopes;
  Timestamp expires_at;
};

struct Token {
  std::string id;
  std::string name;
  std::vector<std::string> scopes;
  Timestamp created_at;
  Timestamp expires_at;
  bool revoked = false;
};

struct IssuedToken {
  Token token;
  std::string secret;  // what the bearer presents; only its hash is kept
};

// Throws Refusal: InvalidRequest for a name, a scope or a time that cannot be, QuotaExceeded.
IssuedToken create_token(const Call& call, const std::string& account_id, const NewToken& token);
std::vector<Token> list_tokens(const Call& call, const std::string& account_id);
void revoke_token(const Call& call, const std::string& account_id, const std::string& token_id);

// Who calls.
struct Principal {
  std::string account_id;
  std::string account_name;
  std::string token_id;
  bool is_operator = false;
  std::vector<std::string> scopes;

  [[nodiscard]] bool has(std::string_view scope) const;
};
// Empty when the secret is unknown, expired or revoked.
std::optional<Principal> authenticate(const Call& call, const std::string& secret);

}  // namespace hub::instances
