#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "instances/core/call.h"
#include "instances/core/money.h"

// The books of money, by double entry: instances/sql/0002_ledger.sql holds the rules, and
// PostgreSQL keeps them.

namespace hub::instances {

// The books that money moves between. An account has `cash` and one per coupon; the others are the
// operator's: where deposits and granted coupons come from, and where payments and what expired go.
struct Book {
  enum class Kind { cash, coupon, deposits, grants, revenue, expired };
  Kind kind;
  std::string owner;  // the account's id, or the coupon's number
};

struct Movement {
  Book book;
  Money amount;  // added to the book; negative is taken from it
};

struct Entry {
  std::string account_id;
  std::string kind;       // "deposit", "payment", …
  std::string reference;  // names the reason, once and for all: "deposit:…", "bill:42"
  std::string memo;
};

// Writes an entry. The movements must add up to nothing; those of zero are left out.
// Returns false when an entry with that reference exists: nothing is changed then.
bool post(const Call& call, const Entry& entry, std::span<const Movement> movements);

[[nodiscard]] Money balance(const Call& call, const Book& book);

struct StatementLine {
  std::int64_t entry_id = 0;
  Timestamp at;
  std::string kind;
  std::string book;  // "cash" or "coupon"
  std::string memo;
  Money amount;
};
// What moved in an account's own books, the newest first.
std::vector<StatementLine> list_statement(const Call& call, const std::string& account_id,
                                          int offset, int limit);
std::int64_t count_statement(const Call& call, const std::string& account_id);

}  // namespace hub::instances
