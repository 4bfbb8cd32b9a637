#pragma once

#include <optional>
#include <string>
#include <vector>

#include "instances/core/call.h"
#include "instances/core/money.h"

// The request to buy: made, confirmed with the terms accepted, paid, and then carried out.

namespace hub::instances {

struct Order {
  std::string number;
  std::string account_id;
  std::string type;         // "new", "renew"
  std::string pay_type;     // "prepaid", "postpaid"
  std::string charge_mode;  // "configuration", "consumption", "monthly"
  std::string product;      // "hub", "rds"
  std::string resource_id;
  std::string region;
  int months = 0;
  std::string status;  // "no_pay", "dealing", "paid", "failed", "canceled", "refund_all"
  Money total;
  Money from_coupon;
  Money from_cash;
  std::string coupon;
  bool terms_accepted = false;
  std::string message;
  Timestamp created_at;
  Timestamp expires_at;
};

struct NewOrder {
  std::string type = "new";
  std::string charge_mode;
  std::string product;
  std::string resource_id;
  std::string region;
  int months = 0;  // of a package
  Money total;     // what is due at once
};

Order create_order(const Call& call, const std::string& account_id, const NewOrder& order);
Order get_order(const Call& call, const std::string& account_id, const std::string& number);
// The newest first.
std::vector<Order> list_orders(const Call& call, const std::string& account_id, int offset,
                               int limit);
std::int64_t count_orders(const Call& call, const std::string& account_id);

// Throws Refusal: TermsNotAccepted, InvalidState.
Order confirm_order(const Call& call, const std::string& account_id, const std::string& number,
                    bool terms_accepted);

// Gives the resource of a paid order its place and starts the work, or throws the product's
// Refusal.
using Provision = void (*)(const Call& call, const Order& order);

// Takes the money that is due, and provisions what is new: all in this transaction, or nothing.
// Every precondition of the product is checked once more. Throws Refusal: TermsNotAccepted,
// InvalidState, InsufficientBalance, CouponNotApplicable, and the product's. Callers use the form
// of operations/purchase.h, which knows the products.
Order pay_order(const Call& call, const std::string& account_id, const std::string& number,
                const std::optional<std::string>& coupon, Provision provision);

// Of an order that is not paid. Throws Refusal(InvalidState).
Order cancel_order(const Call& call, const std::string& account_id, const std::string& number);
// Cancels what was not paid in time. Returns how many.
int expire_orders(const Call& call);

// --- For the work that carries an order out ---

void order_done(const Call& call, const std::string& number);
// Gives all the money back.
void order_failed(const Call& call, const std::string& number, const std::string& message);

}  // namespace hub::instances
