#include "instances/money/charges.h"

#include <fmt/format.h>

#include <pqxx/pqxx>

#include "instances/core/errc.h"
#include "instances/money/settlement.h"
#include "instances/money/wallet.h"

namespace hub::instances {
namespace {

using namespace std::chrono_literals;

std::optional<Timestamp> time_of(const pqxx::field& field) {
  if (field.is_null()) return std::nullopt;
  return parse_sql_timestamp(field.c_str());
}

// A renewal provisions nothing: its resource is there.
void nothing_new(const Call&, const Order&) {
  throw std::logic_error("a renewal provisions nothing");
}

Charge charge_of(const pqxx::row& row) {
  return {.resource_id = row["resource_id"].as<std::string>(),
          .account_id = row["account_id"].as<std::string>(),
          .region = row["region"].as<std::string>(),
          .product = row["product"].as<std::string>(),
          .mode = row["mode"].as<std::string>(),
          .price = {row["price_micro"].as<std::int64_t>()},
          .status = row["status"].as<std::string>(),
          .started_at = *time_of(row["started_at"]),
          .settled_until = *time_of(row["settled_until"]),
          .expires_at = time_of(row["expires_at"]),
          .auto_renew = row["auto_renew"].as<bool>(),
          .renew_months = row["renew_months"].as<int>(),
          .overdue_since = time_of(row["overdue_since"]),
          .ended_at = time_of(row["ended_at"])};
}

void open_interval(const Call& call, const std::string& resource_id) {
  call.tx.exec_params(
      "INSERT INTO charge_interval (resource_id, from_at) SELECT $1, $2 WHERE NOT EXISTS "
      "(SELECT 1 FROM charge_interval WHERE resource_id = $1 AND to_at IS NULL)",
      resource_id, sql(call.now));
}

Charge package_of(const Call& call, const std::string& account_id, const std::string& resource_id) {
  const auto charge = find_charge(call, resource_id);
  if (!charge || charge->account_id != account_id || charge->ended_at)
    throw Refusal(Errc::NotFound, fmt::format("There is no package '{}'.", resource_id));
  if (charge->mode != "monthly")
    throw Refusal(Errc::InvalidState,
                  fmt::format("{} is no monthly package, and needs no renewal.", resource_id));
  if (*charge->expires_at <= call.now)
    throw Refusal(Errc::InvalidState,
                  fmt::format("The package of {} ended at {}: it cannot be renewed any more.",
                              resource_id, to_iso8601(*charge->expires_at)));
  return *charge;
}

}  // namespace

void start_charging(const Call& call, const NewCharge& charge) {
  std::optional<std::string> expires_at;
  if (charge.mode == "monthly") expires_at = sql(package_end(call.now, charge.months));
  call.tx.exec_params(
      "INSERT INTO charge (resource_id, account_id, region, product, mode, price_micro, "
      "started_at, "
      "settled_until, expires_at, auto_renew) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9) "
      "ON CONFLICT (resource_id) DO NOTHING",
      charge.resource_id, charge.account_id, charge.region, charge.product, charge.mode,
      charge.price.micro, sql(call.now), expires_at, charge.auto_renew);
  open_interval(call, charge.resource_id);
}

void pause_charging(const Call& call, const std::string& resource_id) {
  call.tx.exec_params(
      "UPDATE charge_interval SET to_at = greatest(from_at, $2) "
      "WHERE resource_id = $1 AND to_at IS NULL",
      resource_id, sql(call.now));
}

void resume_charging(const Call& call, const std::string& resource_id) {
  open_interval(call, resource_id);
}

void end_charging(const Call& call, const std::string& resource_id) {
  pause_charging(call, resource_id);
  settle_until(call, resource_id, call.now, Periods::and_the_begun_one);
  call.tx.exec_params("UPDATE charge SET ended_at = $2 WHERE resource_id = $1 AND ended_at IS NULL",
                      resource_id, sql(call.now));
}

std::optional<Charge> find_charge(const Call& call, const std::string& resource_id) {
  const auto found =
      call.tx.exec_params("SELECT * FROM charge WHERE resource_id = $1", resource_id);
  if (found.empty()) return std::nullopt;
  return charge_of(found[0]);
}

void extend_package(const Call& call, const std::string& resource_id, int months) {
  const auto charge = find_charge(call, resource_id);
  if (!charge || !charge->expires_at || charge->ended_at || *charge->expires_at <= call.now)
    throw Refusal(
        Errc::InvalidState,
        fmt::format("The package of {} is over, and cannot be renewed any more.", resource_id));
  call.tx.exec_params(
      "UPDATE charge SET expires_at = $2, renew_tried = NULL WHERE resource_id = $1", resource_id,
      sql(package_end(*charge->expires_at, months)));
}

void bill_package(const Call& call, const Order& order) {
  const auto charge = find_charge(call, order.resource_id);
  const auto start = order.type == "renew" ? call.now : charge->started_at;
  call.tx.exec_params(
      "INSERT INTO bill (account_id, resource_id, region, product, charge_mode, trade, item, "
      "period_start, period_end, quantity, fee_micro, erased_micro, actual_micro, coupon_micro, "
      "cash_micro, paid, created_at, paid_at) "
      "VALUES ($1, $2, $3, $4, 'monthly', $5, 'package', $6, $7, $8, $9, 0, $9, $10, $11, true, "
      "$12, $12) ON CONFLICT DO NOTHING",
      order.account_id, order.resource_id, order.region, order.product, order.type, sql(start),
      sql(*charge->expires_at), order.months, order.total.micro, order.from_coupon.micro,
      order.from_cash.micro, sql(call.now));
}

Order order_renewal(const Call& call, const std::string& account_id, const std::string& resource_id,
                    int months) {
  if (months < 1 || months > 24)
    throw Refusal(Errc::InvalidRequest, "A package is renewed for 1 to 24 months.");
  lock_account(call, account_id);
  const auto charge = package_of(call, account_id, resource_id);
  return create_order(call, account_id,
                      {.type = "renew",
                       .charge_mode = "monthly",
                       .product = charge.product,
                       .resource_id = resource_id,
                       .region = charge.region,
                       .months = months,
                       .total = charge.price * months});
}

void set_auto_renew(const Call& call, const std::string& account_id, const std::string& resource_id,
                    bool on) {
  lock_account(call, account_id);
  package_of(call, account_id, resource_id);
  call.tx.exec_params(
      "UPDATE charge SET auto_renew = $2, renew_tried = NULL WHERE resource_id = $1", resource_id,
      on);
}

int renew_packages(const Call& call) {
  // Eight in the morning, of today or else of yesterday: an attempt before it is an old one.
  auto morning = start_of(day_of(call.now)) + 8h;
  if (morning > call.now) morning -= 24h;
  int renewed = 0;
  for (const auto& row : call.tx.exec_params(
           "SELECT * FROM charge WHERE mode = 'monthly' AND auto_renew AND ended_at IS NULL "
           "AND expires_at > $1 AND expires_at <= $2 "
           "AND (renew_tried IS NULL OR renew_tried < $3) FOR UPDATE",
           sql(call.now), sql(call.now + 24h * 7), sql(morning))) {
    const auto charge = charge_of(row);
    lock_account(call, charge.account_id);
    const auto order =
        order_renewal(call, charge.account_id, charge.resource_id, charge.renew_months);
    confirm_order(call, charge.account_id, order.number, true);
    if (balance_covers(call, charge.account_id, order.total)) {
      pay_order(call, charge.account_id, order.number, std::nullopt, nothing_new);
      ++renewed;
      continue;
    }
    cancel_order(call, charge.account_id, order.number);
    call.tx.exec_params(
        "UPDATE charge SET auto_renew = false, renew_tried = $2 WHERE resource_id = $1",
        charge.resource_id, sql(call.now));
  }
  return renewed;
}

std::vector<std::string> resources_to_settle(const Call& call) {
  std::vector<std::string> ids;
  for (const auto& row : call.tx.exec_params(
           "SELECT resource_id FROM charge WHERE ended_at IS NULL AND mode <> 'monthly' "
           "AND settled_until < $1 ORDER BY settled_until",
           sql(call.now - call.settings.settlement_delay)))
    ids.push_back(row[0].as<std::string>());
  return ids;
}

}  // namespace hub::instances
