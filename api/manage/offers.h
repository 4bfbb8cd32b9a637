#pragma once

#include <boost/json/object.hpp>

#include "instances/money/orders.h"

namespace hub::api {

// An order with what its buyer reads before confirming: the configuration's price and the terms.
boost::json::object describe_order(const instances::Call& call, const instances::Order& order);

}  // namespace hub::api
