#include "api/manage/offers.h"

#include <fmt/format.h>

#include "api/manage/shapes.h"
#include "instances/money/prices.h"

namespace hub::api {
namespace {

using namespace instances;

std::string with_commas(std::int64_t number) {
  auto text = std::to_string(number);
  for (auto at = static_cast<int>(text.size()) - 3; at > 0; at -= 3) text.insert(at, ",");
  return text;
}

std::string price_of(const Call& call, const Order& order) {
  if (order.product == "hub")
    return fmt::format(
        "By consumption, each day: the first {} units of 0.5 KB of a month are free; then up to "
        "400,000 units of 2 KB a day 4.24, up to 6,000,000 42.40, above 424.00; the first 10 "
        "active devices of a day are free, each further one 0.008.",
        with_commas(call.settings.free_units));
  const auto rds = load_rds(call, order.resource_id);
  const auto& klass = find_rds_class(rds.klass, rds.storage_gb);
  if (order.charge_mode == "monthly")
    return fmt::format("{} a month, {} for {} month{}, at once.",
                       klass.monthly(rds.storage_gb).to_string(), order.total.to_string(),
                       order.months, order.months == 1 ? "" : "s");
  return fmt::format("{} an hour, to the second.", klass.hourly(rds.storage_gb).to_string());
}

std::string terms_of(const Order& order) {
  if (order.pay_type == "prepaid")
    return "The package is paid now, and cannot be deleted before its end. When it is not renewed, "
           "it stops at its end and is deleted, with its data, seven days later.";
  return "Nothing is paid now; bills are paid from coupons, then from cash. When a bill cannot be "
         "paid, the instance stops a day later and is deleted, with its data, some days after "
         "that.";
}

}  // namespace

boost::json::object describe_order(const Call& call, const Order& order) {
  auto object = shapes::of(order);
  if (order.status == "canceled") return object;
  object["price"] = price_of(call, order);
  object["terms"] = terms_of(order);
  return object;
}

}  // namespace hub::api
