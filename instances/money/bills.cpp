#include <pqxx/pqxx>

#include "instances/money/charges.h"

namespace hub::instances {

void report_usage(const Call& call, const std::string& resource_id, const UsageOfDay& usage) {
  call.tx.exec_params(
      "INSERT INTO usage_day (resource_id, day, free_units, paid_units, active_devices, messages) "
      "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (resource_id, day) DO UPDATE "
      "SET free_units = greatest(usage_day.free_units, excluded.free_units), "
      "paid_units = greatest(usage_day.paid_units, excluded.paid_units), "
      "active_devices = greatest(usage_day.active_devices, excluded.active_devices), "
      "messages = greatest(usage_day.messages, excluded.messages)",
      resource_id, to_string(usage.day), usage.free_units, usage.paid_units, usage.active_devices,
      usage.messages);
}

std::vector<UsageOfDay> list_usage(const Call& call, const std::string& resource_id) {
  std::vector<UsageOfDay> days;
  for (const auto& row : call.tx.exec_params(
           "SELECT day - date '1970-01-01' AS number, messages, free_units, paid_units, "
           "active_devices FROM usage_day WHERE resource_id = $1 ORDER BY day DESC",
           resource_id))
    days.push_back({.day = Day{std::chrono::days{row["number"].as<int>()}},
                    .messages = row["messages"].as<std::int64_t>(),
                    .free_units = row["free_units"].as<std::int64_t>(),
                    .paid_units = row["paid_units"].as<std::int64_t>(),
                    .active_devices = row["active_devices"].as<std::int64_t>()});
  return days;
}

std::vector<Bill> list_bills(const Call& call, const std::string& account_id,
                             const std::string& resource_id, int offset, int limit) {
  std::vector<Bill> bills;
  for (const auto& row :
       call.tx.exec_params("SELECT * FROM bill WHERE account_id = $1 AND $2 IN ('', resource_id) "
                           "ORDER BY id DESC OFFSET $3 LIMIT $4",
                           account_id, resource_id, offset, limit))
    bills.push_back({.id = row["id"].as<std::int64_t>(),
                     .resource_id = row["resource_id"].as<std::string>(),
                     .region = row["region"].as<std::string>(),
                     .product = row["product"].as<std::string>(),
                     .charge_mode = row["charge_mode"].as<std::string>(),
                     .trade = row["trade"].as<std::string>(),
                     .item = row["item"].as<std::string>(),
                     .period_start = parse_sql_timestamp(row["period_start"].c_str()),
                     .period_end = parse_sql_timestamp(row["period_end"].c_str()),
                     .quantity = row["quantity"].as<std::int64_t>(),
                     .fee = {row["fee_micro"].as<std::int64_t>()},
                     .erased = {row["erased_micro"].as<std::int64_t>()},
                     .actual = {row["actual_micro"].as<std::int64_t>()},
                     .from_coupons = {row["coupon_micro"].as<std::int64_t>()},
                     .from_cash = {row["cash_micro"].as<std::int64_t>()},
                     .paid = row["paid"].as<bool>(),
                     .note = row["note"].as<std::string>()});
  return bills;
}

std::int64_t count_bills(const Call& call, const std::string& account_id,
                         const std::string& resource_id) {
  return call.tx
      .exec_params1("SELECT count(*) FROM bill WHERE account_id = $1 AND $2 IN ('', resource_id)",
                    account_id, resource_id)[0]
      .as<std::int64_t>();
}

}  // namespace hub::instances
