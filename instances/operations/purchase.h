#pragma once

#include <optional>
#include <string>

#include "instances/money/orders.h"

namespace hub::instances {

// Pays an order and provisions what it buys, whichever product that is: the five-argument form in
// money/orders.h, with the products that there are. Throws as that.
Order pay_order(const Call& call, const std::string& account_id, const std::string& number,
                const std::optional<std::string>& coupon);

}  // namespace hub::instances
