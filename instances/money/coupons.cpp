#include <fmt/format.h>

#include <array>
#include <pqxx/pqxx>

#include "instances/core/calendar.h"
#include "instances/core/errc.h"
#include "instances/core/secrets.h"
#include "instances/money/bookkeeping.h"
#include "instances/money/wallet.h"

namespace hub::instances {
namespace {

constexpr auto kCoupons =
    "SELECT c.*, b.balance_micro FROM coupon c JOIN ledger_account b ON b.coupon_id = c.id ";

Coupon coupon_of(const pqxx::row& row) {
  return {.number = row["id"].as<std::string>(),
          .kind = row["kind"].as<std::string>(),
          .total = {row["total_micro"].as<std::int64_t>()},
          .remaining = {row["balance_micro"].as<std::int64_t>()},
          .products = parse_sql_array(row["products"].c_str()),
          .charge_modes = parse_sql_array(row["billing_modes"].c_str()),
          .valid_from = parse_sql_timestamp(row["valid_from"].c_str()),
          .valid_to = parse_sql_timestamp(row["valid_to"].c_str())};
}

std::vector<Coupon> coupons_of(const pqxx::result& rows) {
  std::vector<Coupon> coupons;
  for (const auto& row : rows) coupons.push_back(coupon_of(row));
  return coupons;
}

}  // namespace

Coupon issue_coupon(const Call& call, const Coupon& coupon, const std::string& account_id) {
  if (coupon.total <= Money{} || coupon.total.whole_cents() != coupon.total)
    throw Refusal(Errc::InvalidRequest, "A coupon is of a positive amount in whole cents.");
  if (coupon.valid_to <= call.now || coupon.valid_to <= coupon.valid_from)
    throw Refusal(Errc::InvalidRequest, "A coupon is valid until after now and after its start.");
  if (coupon.kind != "free" && coupon.kind != "paid")
    throw Refusal(Errc::InvalidRequest, "A coupon's kind is free or paid.");
  const auto number = coupon.number.empty() ? new_id("cpn") : coupon.number;
  const auto made = call.tx.exec_params(
      "INSERT INTO coupon (id, kind, total_micro, products, billing_modes, valid_from, valid_to, "
      "created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING",
      number, coupon.kind, coupon.total.micro, sql_array(coupon.products),
      sql_array(coupon.charge_modes), sql(coupon.valid_from), sql(coupon.valid_to), sql(call.now));
  if (made.affected_rows() == 0)
    throw Refusal(Errc::DuplicateName,
                  fmt::format("There is a coupon '{}' already. Choose another number.", number));
  call.tx.exec_params("INSERT INTO ledger_account (kind, coupon_id) VALUES ('coupon', $1)", number);
  if (!account_id.empty()) return bind_coupon(call, account_id, number);
  return coupons_of(call.tx.exec_params(std::string(kCoupons) + "WHERE c.id = $1", number)).front();
}

Coupon bind_coupon(const Call& call, const std::string& account_id, const std::string& number) {
  lock_account(call, account_id);
  const auto bound = call.tx.exec_params(
      "UPDATE coupon SET account_id = $1 WHERE id = $2 AND account_id IS NULL AND valid_to > $3 "
      "RETURNING total_micro",
      account_id, number, sql(call.now));
  if (bound.empty()) {
    const auto other = call.tx.exec_params("SELECT account_id FROM coupon WHERE id = $1", number);
    if (other.empty())
      throw Refusal(Errc::NotFound,
                    fmt::format("There is no coupon '{}'. Check its number.", number));
    throw Refusal(
        Errc::InvalidState,
        fmt::format("The coupon '{}' is bound to an account already, or has expired.", number));
  }
  call.tx.exec_params("UPDATE ledger_account SET account_id = $1 WHERE coupon_id = $2", account_id,
                      number);
  const Money total{bound[0][0].as<std::int64_t>()};
  post(call, {account_id, "grant", "coupon:" + number, "coupon " + number},
       std::array{Movement{{Book::Kind::grants, ""}, -total},
                  Movement{{Book::Kind::coupon, number}, total}});
  return coupons_of(call.tx.exec_params(std::string(kCoupons) + "WHERE c.id = $1", number)).front();
}

std::vector<Coupon> list_coupons(const Call& call, const std::string& account_id) {
  return coupons_of(call.tx.exec_params(
      std::string(kCoupons) + "WHERE c.account_id = $1 ORDER BY c.valid_to, c.id", account_id));
}

int expire_coupons(const Call& call) {
  const auto due = call.tx.exec_params(
      std::string(kCoupons) +
          "WHERE c.valid_to <= $1 AND NOT c.expired AND c.account_id IS NOT NULL FOR UPDATE OF c",
      sql(call.now));
  for (const auto& row : due) {
    const auto coupon = coupon_of(row);
    if (coupon.remaining > Money{})
      post(call,
           {row["account_id"].as<std::string>(), "expiry", "expiry:" + coupon.number,
            "coupon " + coupon.number + " expired"},
           std::array{Movement{{Book::Kind::coupon, coupon.number}, -coupon.remaining},
                      Movement{{Book::Kind::expired, ""}, coupon.remaining}});
    call.tx.exec_params("UPDATE coupon SET expired = true WHERE id = $1", coupon.number);
  }
  return static_cast<int>(due.size());
}

std::vector<Coupon> usable_coupons(const Call& call, const std::string& account_id,
                                   const Purpose& purpose) {
  return coupons_of(call.tx.exec_params(
      std::string(kCoupons) + "WHERE c.account_id = $1 AND b.balance_micro > 0 AND NOT c.expired "
                              "AND c.valid_from <= $2 AND c.valid_to > $2 "
                              "AND (c.products = '{}' OR $3 = ANY (c.products)) "
                              "AND (c.billing_modes = '{}' OR $4 = ANY (c.billing_modes)) "
                              "ORDER BY c.valid_to, b.balance_micro, c.id",
      account_id, sql(call.now), purpose.product, purpose.charge_mode));
}

}  // namespace hub::instances
