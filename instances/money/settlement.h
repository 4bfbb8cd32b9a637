#pragma once

#include <string>

#include "instances/core/call.h"
#include "instances/core/money.h"

// Inside of charges.h: the making of bills.

namespace hub::instances {

enum class Periods { whole, and_the_begun_one };

// Bills the periods up to `until`.
int settle_until(const Call& call, const std::string& resource_id, Timestamp until,
                 Periods periods);

// Whether there is as much cash.
[[nodiscard]] bool balance_covers(const Call& call, const std::string& account_id, Money amount);

}  // namespace hub::instances
