#include "instances/money/bookkeeping.h"

#include <pqxx/pqxx>

#include "instances/core/calendar.h"

namespace hub::instances {
namespace {

const char* name_of(Book::Kind kind) {
  switch (kind) {
    case Book::Kind::cash:
      return "cash";
    case Book::Kind::coupon:
      return "coupon";
    case Book::Kind::deposits:
      return "deposits";
    case Book::Kind::grants:
      return "grants";
    case Book::Kind::revenue:
      return "revenue";
    case Book::Kind::expired:
      return "expired";
  }
  return "";
}

pqxx::row find_book(const Call& call, const Book& book) {
  switch (book.kind) {
    case Book::Kind::cash:
      return call.tx.exec_params1(
          "SELECT id, balance_micro FROM ledger_account WHERE kind = 'cash' AND account_id = $1",
          book.owner);
    case Book::Kind::coupon:
      return call.tx.exec_params1(
          "SELECT id, balance_micro FROM ledger_account WHERE coupon_id = $1", book.owner);
    default:
      return call.tx.exec_params1("SELECT id, balance_micro FROM ledger_account WHERE kind = $1",
                                  name_of(book.kind));
  }
}

}  // namespace

bool post(const Call& call, const Entry& entry, std::span<const Movement> movements) {
  const auto made = call.tx.exec_params(
      "INSERT INTO ledger_entry (account_id, at, kind, reference, memo) VALUES ($1, $2, $3, $4, "
      "$5) "
      "ON CONFLICT (reference) DO NOTHING RETURNING id",
      entry.account_id, sql(call.now), entry.kind, entry.reference, entry.memo);
  if (made.empty()) return false;
  for (const auto& [book, amount] : movements) {
    if (amount == Money{}) continue;
    call.tx.exec_params("INSERT INTO ledger_line VALUES ($1, $2, $3)",
                        made[0][0].as<std::int64_t>(),
                        find_book(call, book)["id"].as<std::int64_t>(), amount.micro);
  }
  return true;
}

Money balance(const Call& call, const Book& book) {
  return {find_book(call, book)["balance_micro"].as<std::int64_t>()};
}

std::vector<StatementLine> list_statement(const Call& call, const std::string& account_id,
                                          int offset, int limit) {
  std::vector<StatementLine> lines;
  for (const auto& row : call.tx.exec_params(
           "SELECT e.id, e.at, e.kind, e.memo, b.kind AS book, l.amount_micro "
           "FROM ledger_entry e JOIN ledger_line l ON l.entry_id = e.id "
           "JOIN ledger_account b ON b.id = l.ledger_account_id AND b.account_id = e.account_id "
           "WHERE e.account_id = $1 ORDER BY e.id DESC, b.id OFFSET $2 LIMIT $3",
           account_id, offset, limit))
    lines.push_back({.entry_id = row["id"].as<std::int64_t>(),
                     .at = parse_sql_timestamp(row["at"].c_str()),
                     .kind = row["kind"].as<std::string>(),
                     .book = row["book"].as<std::string>(),
                     .memo = row["memo"].as<std::string>(),
                     .amount = {row["amount_micro"].as<std::int64_t>()}});
  return lines;
}

std::int64_t count_statement(const Call& call, const std::string& account_id) {
  return call.tx
      .exec_params1(
          "SELECT count(*) FROM ledger_line l JOIN ledger_account b ON b.id = l.ledger_account_id "
          "WHERE b.account_id = $1",
          account_id)[0]
      .as<std::int64_t>();
}

}  // namespace hub::instances
