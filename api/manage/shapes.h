#pragma once

#include <boost/json/object.hpp>

#include "http/schema.h"
#include "instances/accounts/accounts.h"
#include "instances/accounts/verification.h"
#include "instances/core/operations.h"
#include "instances/databases/rds.h"
#include "instances/hubs/hubs.h"
#include "instances/money/bookkeeping.h"
#include "instances/money/charges.h"
#include "instances/money/orders.h"
#include "instances/money/wallet.h"
#include "instances/networks/networks.h"
#include "instances/networks/security_groups.h"

// The resources as JSON: of each its schema, and the object that fits it.

namespace hub::api::shapes {

extern const http::Schema account, verification, token, issued_token, wallet, ledger_line, coupon,
    order, bill, operation, operation_step, vpc, subnet, security_group, security_rule, rds, hub,
    usage;
// Of what is carried out later: the operation that does it.
extern const http::Schema started;

boost::json::object of(const instances::Account&);
boost::json::object of(const instances::Verification&);
boost::json::object of(const instances::Token&);
boost::json::object of(const instances::IssuedToken&);
boost::json::object of(const instances::Wallet&);
boost::json::object of(const instances::StatementLine&);
boost::json::object of(const instances::Coupon&);
boost::json::object of(const instances::Order&);
boost::json::object of(const instances::Bill&);
boost::json::object of(const instances::UsageOfDay&);
boost::json::object of(const instances::Operation&);
boost::json::object of(const instances::Vpc&);
boost::json::object of(const instances::Subnet&);
boost::json::object of(const instances::SecurityGroup&);
boost::json::object of(const instances::SecurityRule&);
// What a listing shows beside the record itself.
struct Around {
  std::string vpc_name;
  std::string subnet_name;
  std::string rds_name;
  std::vector<std::string> security_groups;
  std::string charge_mode;
  std::string charge_status;
  bool isolated = true;
};
boost::json::object of(const instances::Rds&, const Around&);
boost::json::object of(const instances::Hub&, const Around&);

}  // namespace hub::api::shapes
