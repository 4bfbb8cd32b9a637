#include "instances/money/settlement.h"

#include <fmt/format.h>

#include <algorithm>
#include <pqxx/pqxx>

#include "instances/money/bookkeeping.h"
#include "instances/money/charges.h"
#include "instances/money/prices.h"
#include "instances/money/wallet.h"

namespace hub::instances {
namespace {

using namespace std::chrono_literals;

struct Line {
  std::string item;
  Timestamp start;
  Timestamp end;
  std::int64_t quantity = 0;
  Money fee;
  std::string note;
};

// Takes a bill's amount. A bill that cannot be paid in full stays open as a whole.
bool try_to_pay(const Call& call, std::int64_t bill, const std::string& account_id, Money amount,
                const Purpose& purpose) {
  const auto payment = pay(call, account_id, amount, purpose, fmt::format("bill:{}", bill),
                           fmt::format("bill {}", bill));
  if (!payment) return false;
  call.tx.exec_params(
      "UPDATE bill SET paid = true, paid_at = $2, coupon_micro = $3, cash_micro = $4 WHERE id = $1",
      bill, sql(call.now), payment->from_coupons.micro, payment->from_cash.micro);
  return true;
}

void make_bill(const Call& call, const Charge& charge, const Line& line) {
  const auto actual = line.fee.whole_cents();
  const auto made = call.tx.exec_params(
      "INSERT INTO bill (account_id, resource_id, region, product, charge_mode, trade, item, "
      "period_start, period_end, quantity, fee_micro, erased_micro, actual_micro, note, "
      "created_at) "
      "VALUES ($1, $2, $3, $4, $5, 'use', $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING id",
      charge.account_id, charge.resource_id, charge.region, charge.product, charge.mode, line.item,
      sql(line.start), sql(line.end), line.quantity, line.fee.micro, (line.fee - actual).micro,
      actual.micro, line.note, sql(call.now));
  if (try_to_pay(call, made[0][0].as<std::int64_t>(), charge.account_id, actual,
                 {charge.product, charge.mode}))
    return;
  call.tx.exec_params(
      "UPDATE charge SET status = 'arrear', overdue_since = coalesce(overdue_since, $2) "
      "WHERE resource_id = $1",
      charge.resource_id, sql(call.now));
}

std::int64_t seconds_run(const Call& call, const std::string& resource_id, Timestamp start,
                         Timestamp end) {
  const auto sum = call.tx.exec_params1(
      "SELECT coalesce(sum(extract(epoch FROM "
      "  least(coalesce(to_at, $3), $3::timestamptz) - greatest(from_at, $2::timestamptz))), 0)"
      "  ::bigint FROM charge_interval "
      "WHERE resource_id = $1 AND from_at < $3 AND coalesce(to_at, $3) > $2",
      resource_id, sql(start), sql(end));
  return sum[0].as<std::int64_t>();
}

int bill_hour(const Call& call, const Charge& charge, Timestamp start, Timestamp end) {
  const auto seconds = seconds_run(call, charge.resource_id, start, end);
  if (seconds == 0) return 0;
  make_bill(call, charge,
            {.item = "hour",
             .start = start,
             .end = end,
             .quantity = seconds,
             .fee = price_of_seconds(charge.price, seconds),
             .note = ""});
  return 1;
}

int bill_day(const Call& call, const Charge& charge, Timestamp start, Timestamp end) {
  const auto usage = call.tx.exec_params(
      "SELECT paid_units, active_devices FROM usage_day WHERE resource_id = $1 AND day = $2",
      charge.resource_id, to_string(day_of(start)));
  if (usage.empty()) return 0;
  const auto units = usage[0]["paid_units"].as<std::int64_t>();
  const auto devices = usage[0]["active_devices"].as<std::int64_t>();
  const auto messages = message_fee(units);
  make_bill(call, charge,
            {.item = "messages",
             .start = start,
             .end = end,
             .quantity = units,
             .fee = messages.fee,
             .note = messages.contact_sales
                         ? "More than 300,000,000 units a day: contact sales for a price."
                         : ""});
  make_bill(call, charge,
            {.item = "devices",
             .start = start,
             .end = end,
             .quantity = devices,
             .fee = device_fee(devices),
             .note = ""});
  return 2;
}

}  // namespace

int settle_until(const Call& call, const std::string& resource_id, Timestamp until,
                 Periods periods) {
  const auto locked = call.tx.exec_params(
      "SELECT account_id FROM charge WHERE resource_id = $1 AND ended_at IS NULL FOR UPDATE",
      resource_id);
  if (locked.empty()) return 0;
  lock_account(call, locked[0][0].as<std::string>());
  const auto charge = find_charge(call, resource_id).value();
  if (charge.mode == "monthly") return 0;
  const bool by_hour = charge.mode == "configuration";
  int bills = 0;
  auto start = charge.settled_until;
  for (;;) {
    auto end = by_hour ? start_of_hour(start) + 1h : start_of(day_of(start)) + 24h;
    if (end > until) {
      if (periods == Periods::whole || start >= until) break;
      end = until;
    }
    bills += by_hour ? bill_hour(call, charge, start, end) : bill_day(call, charge, start, end);
    start = end;
  }
  call.tx.exec_params("UPDATE charge SET settled_until = $2 WHERE resource_id = $1", resource_id,
                      sql(start));
  return bills;
}

int settle(const Call& call, const std::string& resource_id) {
  return settle_until(call, resource_id, call.now - call.settings.settlement_delay, Periods::whole);
}

bool balance_covers(const Call& call, const std::string& account_id, Money amount) {
  return balance(call, {Book::Kind::cash, account_id}) >= amount;
}

int pay_open_bills(const Call& call, const std::string& account_id) {
  lock_account(call, account_id);
  int paid = 0;
  for (const auto& row : call.tx.exec_params(
           "SELECT * FROM bill WHERE account_id = $1 AND NOT paid ORDER BY id", account_id)) {
    if (!try_to_pay(call, row["id"].as<std::int64_t>(), account_id,
                    {row["actual_micro"].as<std::int64_t>()},
                    {row["product"].as<std::string>(), row["charge_mode"].as<std::string>()}))
      break;
    ++paid;
  }
  call.tx.exec_params(
      "UPDATE charge c SET status = 'normal', overdue_since = NULL "
      "WHERE account_id = $1 AND status = 'arrear' AND NOT EXISTS "
      "(SELECT 1 FROM bill b WHERE b.resource_id = c.resource_id AND NOT b.paid)",
      account_id);
  return paid;
}

}  // namespace hub::instances
