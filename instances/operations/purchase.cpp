#include "instances/operations/purchase.h"

#include "instances/databases/rds.h"
#include "instances/hubs/hubs.h"

namespace hub::instances {
namespace {

void provision(const Call& call, const Order& order) {
  if (order.product == "hub") {
    provision_hub(call, order);
  } else {
    provision_rds(call, order);
  }
}

}  // namespace

Order pay_order(const Call& call, const std::string& account_id, const std::string& number,
                const std::optional<std::string>& coupon) {
  return pay_order(call, account_id, number, coupon, provision);
}

}  // namespace hub::instances
