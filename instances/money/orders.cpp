#include "instances/money/orders.h"

#include <fmt/format.h>

#include <pqxx/pqxx>

#include "instances/accounts/verification.h"
#include "instances/core/calendar.h"
#include "instances/core/errc.h"
#include "instances/core/operations.h"
#include "instances/core/secrets.h"
#include "instances/money/charges.h"
#include "instances/money/wallet.h"

namespace hub::instances {
namespace {

Order order_of(const pqxx::row& row) {
  return {.number = row["number"].as<std::string>(),
          .account_id = row["account_id"].as<std::string>(),
          .type = row["type"].as<std::string>(),
          .pay_type = row["pay_type"].as<std::string>(),
          .charge_mode = row["charge_mode"].as<std::string>(),
          .product = row["product"].as<std::string>(),
          .resource_id = row["resource_id"].as<std::string>(),
          .region = row["region"].as<std::string>(),
          .months = row["months"].as<int>(),
          .status = row["status"].as<std::string>(),
          .total = {row["total_micro"].as<std::int64_t>()},
          .from_coupon = {row["coupon_micro"].as<std::int64_t>()},
          .from_cash = {row["cash_micro"].as<std::int64_t>()},
          .coupon = row["coupon_id"].as<std::string>(""),
          .terms_accepted = !row["terms_at"].is_null(),
          .message = row["message"].as<std::string>(),
          .created_at = parse_sql_timestamp(row["created_at"].c_str()),
          .expires_at = parse_sql_timestamp(row["expires_at"].c_str())};
}

Order unpaid_order(const Call& call, const std::string& account_id, const std::string& number) {
  lock_account(call, account_id);
  auto order = get_order(call, account_id, number);
  if (order.status != "no_pay")
    throw Refusal(Errc::InvalidState,
                  fmt::format("The order {} is {} already.", number, order.status));
  if (order.expires_at <= call.now)
    throw Refusal(Errc::InvalidState,
                  fmt::format("The order {} was not paid until {}, and is cancelled. Order again.",
                              number, to_iso8601(order.expires_at)));
  return order;
}

void drop_resource(const Call& call, const Order& order) {
  if (order.type != "new") return;
  call.tx.exec_params("DELETE FROM attachment WHERE instance_id = $1", order.resource_id);
  call.tx.exec_params("DELETE FROM stale_rules WHERE instance_id = $1", order.resource_id);
  for (const char* table : {"hub_instance", "rds_instance"})
    call.tx.exec_params(fmt::format("DELETE FROM {} WHERE id = $1 AND state = 'ordered'", table),
                        order.resource_id);
}

void cancel(const Call& call, const Order& order, const std::string& message) {
  call.tx.exec_params(
      "UPDATE purchase_order SET status = 'canceled', message = $2 WHERE number = $1", order.number,
      message);
  drop_resource(call, order);
}

}  // namespace

Order create_order(const Call& call, const std::string& account_id, const NewOrder& order) {
  const auto number = new_id("ord");
  call.tx.exec_params(
      "INSERT INTO purchase_order (number, account_id, type, pay_type, charge_mode, product, "
      "resource_id, region, months, status, total_micro, expires_at, created_at) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'no_pay', $10, $11, $12)",
      number, account_id, order.type, order.charge_mode == "monthly" ? "prepaid" : "postpaid",
      order.charge_mode, order.product, order.resource_id, order.region, order.months,
      order.total.micro, sql(call.now + call.settings.order_lifetime), sql(call.now));
  return get_order(call, account_id, number);
}

Order get_order(const Call& call, const std::string& account_id, const std::string& number) {
  const auto found = call.tx.exec_params(
      "SELECT * FROM purchase_order WHERE account_id = $1 AND number = $2", account_id, number);
  if (found.empty())
    throw Refusal(
        Errc::NotFound,
        fmt::format(
            "There is no order '{}'. `iothub manage order list` shows those that there are.",
            number));
  return order_of(found[0]);
}

std::vector<Order> list_orders(const Call& call, const std::string& account_id, int offset,
                               int limit) {
  std::vector<Order> orders;
  for (const auto& row : call.tx.exec_params(
           "SELECT * FROM purchase_order WHERE account_id = $1 ORDER BY created_at DESC, number "
           "OFFSET $2 LIMIT $3",
           account_id, offset, limit))
    orders.push_back(order_of(row));
  return orders;
}

std::int64_t count_orders(const Call& call, const std::string& account_id) {
  return call.tx
      .exec_params1("SELECT count(*) FROM purchase_order WHERE account_id = $1", account_id)[0]
      .as<std::int64_t>();
}

Order confirm_order(const Call& call, const std::string& account_id, const std::string& number,
                    bool terms_accepted) {
  unpaid_order(call, account_id, number);
  if (!terms_accepted)
    throw Refusal(Errc::TermsNotAccepted,
                  "An order is confirmed by accepting the terms of service. Look at the order, and "
                  "confirm it with the terms accepted (--yes).");
  call.tx.exec_params(
      "UPDATE purchase_order SET terms_at = coalesce(terms_at, $2) WHERE number = $1", number,
      sql(call.now));
  return get_order(call, account_id, number);
}

Order pay_order(const Call& call, const std::string& account_id, const std::string& number,
                const std::optional<std::string>& coupon, Provision provision) {
  const auto order = unpaid_order(call, account_id, number);
  if (!order.terms_accepted)
    throw Refusal(Errc::TermsNotAccepted,
                  fmt::format("The order {} is not confirmed: its terms have to be accepted first. "
                              "Run `iothub manage order confirm {}`.",
                              number, number));
  require_verified(call, account_id);
  const Purpose purpose{order.product, order.charge_mode};
  if (order.pay_type == "postpaid") require_threshold(call, account_id, purpose);
  if (order.pay_type == "postpaid" && coupon)
    throw Refusal(Errc::CouponNotApplicable,
                  "What is paid afterwards uses coupons by itself. Leave the coupon out.");

  Payment payment;
  if (order.pay_type == "prepaid")
    payment = pay_with(call, account_id, order.total, purpose, coupon, "order:" + number,
                       fmt::format("order {}", number));
  call.tx.exec_params(
      "UPDATE purchase_order SET status = 'dealing', coupon_micro = $2, cash_micro = $3, "
      "coupon_id = $4, paid_at = $5 WHERE number = $1",
      number, payment.from_coupons.micro, payment.from_cash.micro, coupon, sql(call.now));
  if (order.type == "renew") {
    extend_package(call, order.resource_id, order.months);
    bill_package(call, get_order(call, account_id, number));
    order_done(call, number);
  } else {
    provision(call, order);
  }
  return get_order(call, account_id, number);
}

Order cancel_order(const Call& call, const std::string& account_id, const std::string& number) {
  cancel(call, unpaid_order(call, account_id, number), "cancelled by the account");
  return get_order(call, account_id, number);
}

int expire_orders(const Call& call) {
  const auto due = call.tx.exec_params(
      "SELECT * FROM purchase_order WHERE status = 'no_pay' AND expires_at <= $1 FOR UPDATE",
      sql(call.now));
  for (const auto& row : due) cancel(call, order_of(row), "not paid in time");
  return static_cast<int>(due.size());
}

void order_done(const Call& call, const std::string& number) {
  call.tx.exec_params(
      "UPDATE purchase_order SET status = 'paid' WHERE number = $1 AND status = 'dealing'", number);
}

void order_failed(const Call& call, const std::string& number, const std::string& message) {
  const auto found = call.tx.exec_params(
      "SELECT * FROM purchase_order WHERE number = $1 AND status = 'dealing'", number);
  if (found.empty()) return;
  const auto order = order_of(found[0]);
  const std::optional<std::string> coupon =
      order.coupon.empty() ? std::nullopt : std::optional{order.coupon};
  refund(call, order.account_id, {order.from_coupon, order.from_cash}, coupon,
         "refund:" + order.number, fmt::format("order {} failed", order.number));
  call.tx.exec_params("UPDATE purchase_order SET status = $2, message = $3 WHERE number = $1",
                      order.number, order.pay_type == "prepaid" ? "refund_all" : "failed", message);
}

}  // namespace hub::instances
