#pragma once

#include <optional>
#include <string>
#include <vector>

#include "instances/core/call.h"
#include "instances/core/money.h"

// An account's money: cash, and coupons that pay for some products.

namespace hub::instances {

// What is paid for. Empty lists of a coupon's scope cover all products and all modes.
struct Purpose {
  std::string product;      // "hub", "rds"
  std::string charge_mode;  // "configuration", "consumption", "monthly"
};

struct Coupon {
  std::string number;
  std::string kind;  // "free" or "paid"
  Money total;
  Money remaining;
  std::vector<std::string> products;
  std::vector<std::string> charge_modes;
  Timestamp valid_from;
  Timestamp valid_to;
};

struct Wallet {
  Money cash;
  Money coupons;  // of the valid ones
  Money owed;     // by bills that could not be paid
  std::vector<std::string> warnings;
};

[[nodiscard]] Wallet get_wallet(const Call& call, const std::string& account_id);

// Adds cash. `reference` is unique per deposit: the same one twice is one deposit.
// Returns false for a repeat. Throws Refusal(InvalidRequest) unless the amount is positive.
bool deposit(const Call& call, const std::string& account_id, Money amount,
             const std::string& reference);

// Makes a coupon for whoever binds it; `account_id`, when not empty, has it bound at once.
Coupon issue_coupon(const Call& call, const Coupon& coupon, const std::string& account_id);
// Throws Refusal: NotFound, InvalidState when it is bound already or has expired.
Coupon bind_coupon(const Call& call, const std::string& account_id, const std::string& number);
std::vector<Coupon> list_coupons(const Call& call, const std::string& account_id);
// Writes off what is left in coupons whose time is over. Returns how many there were.
int expire_coupons(const Call& call);

// The account's coupons that may pay for `purpose` now, in the order in which they are used:
// the soonest to expire first, then the smallest, then by number.
std::vector<Coupon> usable_coupons(const Call& call, const std::string& account_id,
                                   const Purpose& purpose);

// Throws Refusal(InsufficientBalance), which says by how much, when cash and usable coupons, less
// what is owed, are below the opening threshold.
void require_threshold(const Call& call, const std::string& account_id, const Purpose& purpose);

struct Payment {
  Money from_coupons;
  Money from_cash;
};

// Takes an amount, in whole cents, from the coupons in their order and the rest from cash. All or
// nothing: empty when they do not suffice. The account is locked by the caller.
std::optional<Payment> pay(const Call& call, const std::string& account_id, Money amount,
                           const Purpose& purpose, const std::string& reference,
                           const std::string& memo);

// The same with the one coupon that the buyer chose, or none. Throws Refusal: CouponNotApplicable,
// InsufficientBalance.
Payment pay_with(const Call& call, const std::string& account_id, Money amount,
                 const Purpose& purpose, const std::optional<std::string>& coupon,
                 const std::string& reference, const std::string& memo);

// Gives back what pay_with() took, each part to where it came from.
void refund(const Call& call, const std::string& account_id, const Payment& payment,
            const std::optional<std::string>& coupon, const std::string& reference,
            const std::string& memo);

}  // namespace hub::instances
