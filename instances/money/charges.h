#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "instances/core/calendar.h"
#include "instances/core/call.h"
#include "instances/core/money.h"
#include "instances/money/orders.h"

// How a resource is charged, from its first run to its end, and the bills that come of it.

namespace hub::instances {

struct Charge {
  std::string resource_id;
  std::string account_id;
  std::string region;
  std::string product;
  std::string mode;    // "configuration", "consumption", "monthly"
  Money price;         // per hour or per month
  std::string status;  // "normal", "overdue" (a package is over), "arrear" (a bill is not paid)
  Timestamp started_at;
  Timestamp settled_until;
  std::optional<Timestamp> expires_at;  // of a package
  bool auto_renew = false;
  int renew_months = 1;
  std::optional<Timestamp> overdue_since;
  std::optional<Timestamp> ended_at;
};

struct NewCharge {
  std::string resource_id;
  std::string account_id;
  std::string region;
  std::string product;
  std::string mode;
  Money price;
  int months = 0;  // of a package
  bool auto_renew = false;
};

// At the first run: nothing is charged before.
void start_charging(const Call& call, const NewCharge& charge);
// Nothing is charged for the time between these two.
void pause_charging(const Call& call, const std::string& resource_id);
void resume_charging(const Call& call, const std::string& resource_id);
// Makes the final bills, until now.
void end_charging(const Call& call, const std::string& resource_id);

std::optional<Charge> find_charge(const Call& call, const std::string& resource_id);

// --- Packages ---

void extend_package(const Call& call, const std::string& resource_id, int months);
void bill_package(const Call& call, const Order& order);
// Renewal of a package by its owner: an order to be confirmed and paid. Throws Refusal: NotFound,
// InvalidState when it has expired or is no package.
Order order_renewal(const Call& call, const std::string& account_id, const std::string& resource_id,
                    int months);
void set_auto_renew(const Call& call, const std::string& account_id, const std::string& resource_id,
                    bool on);
// Renews by itself what ends within seven days: once when that begins, then every day at 08:00.
// Too little money turns it off. Returns how many were renewed.
int renew_packages(const Call& call);

// --- Settlement ---

// What a hub counted on one day (UTC+8): the whole day so far. Replaces an earlier report unless
// that was of more.
struct UsageOfDay {
  Day day;
  std::int64_t messages = 0;  // from and to devices
  std::int64_t free_units = 0;
  std::int64_t paid_units = 0;
  std::int64_t active_devices = 0;
};
void report_usage(const Call& call, const std::string& resource_id, const UsageOfDay& usage);
// The newest day first.
std::vector<UsageOfDay> list_usage(const Call& call, const std::string& resource_id);

// Bills what is due of one resource: each hour or day that has ended, exactly once, however often
// and however late this runs. Returns the number of bills made.
int settle(const Call& call, const std::string& resource_id);
// The ids of the resources that something may be due of.
std::vector<std::string> resources_to_settle(const Call& call);

struct Bill {
  std::int64_t id = 0;
  std::string resource_id;
  std::string region;
  std::string product;
  std::string charge_mode;
  std::string trade;
  std::string item;
  Timestamp period_start;
  Timestamp period_end;
  std::int64_t quantity = 0;
  Money fee;
  Money erased;
  Money actual;
  Money from_coupons;
  Money from_cash;
  bool paid = false;
  std::string note;
};
// The newest first; of one resource unless that is empty.
std::vector<Bill> list_bills(const Call& call, const std::string& account_id,
                             const std::string& resource_id, int offset, int limit);
std::int64_t count_bills(const Call& call, const std::string& account_id,
                         const std::string& resource_id);

// Pays what can be paid of the bills that are open, the oldest first: after each deposit.
// A resource whose bills are all paid is not in arrears any more; operations/lifecycle.h takes it
// from there.
int pay_open_bills(const Call& call, const std::string& account_id);

}  // namespace hub::instances
