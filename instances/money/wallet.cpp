#include "instances/money/wallet.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <pqxx/pqxx>

#include "instances/core/calendar.h"
#include "instances/core/errc.h"
#include "instances/money/bookkeeping.h"

namespace hub::instances {
namespace {

constexpr Money kLow = yuan(200);
constexpr auto kCouponWarning = std::chrono::hours{24 * 7};

Money owed_by(const Call& call, const std::string& account_id) {
  return {
      call.tx
          .exec_params1(
              "SELECT coalesce(sum(actual_micro), 0) FROM bill WHERE account_id = $1 AND NOT paid",
              account_id)[0]
          .as<std::int64_t>()};
}

Money sum(const std::vector<Coupon>& coupons) {
  Money total;
  for (const auto& coupon : coupons) total += coupon.remaining;
  return total;
}

}  // namespace

Wallet get_wallet(const Call& call, const std::string& account_id) {
  Wallet wallet{.cash = balance(call, {Book::Kind::cash, account_id}),
                .coupons = {},
                .owed = owed_by(call, account_id),
                .warnings = {}};
  for (const auto& coupon : list_coupons(call, account_id)) {
    if (coupon.valid_from > call.now || coupon.valid_to <= call.now) continue;
    wallet.coupons += coupon.remaining;
    if (coupon.remaining > Money{} && coupon.valid_to - call.now <= kCouponWarning)
      wallet.warnings.push_back(fmt::format("Coupon {} with {} left expires on {}.", coupon.number,
                                            coupon.remaining.to_string(),
                                            to_iso8601(coupon.valid_to)));
  }
  if (wallet.cash < kLow)
    wallet.warnings.push_back(fmt::format("The cash balance is below {}.", kLow.to_string()));
  if (wallet.coupons > Money{} && wallet.coupons < kLow)
    wallet.warnings.push_back(fmt::format("The coupons' balance is below {}.", kLow.to_string()));
  if (wallet.owed > Money{})
    wallet.warnings.push_back(
        fmt::format("Bills of {} could not be paid: deposit before resources are suspended.",
                    wallet.owed.to_string()));
  return wallet;
}

bool deposit(const Call& call, const std::string& account_id, Money amount,
             const std::string& reference) {
  if (amount <= Money{})
    throw Refusal(Errc::InvalidRequest, "A deposit is of a positive amount, such as 100.00.");
  lock_account(call, account_id);
  return post(call, {account_id, "deposit", "deposit:" + reference, "deposit"},
              std::array{Movement{{Book::Kind::deposits, ""}, -amount},
                         Movement{{Book::Kind::cash, account_id}, amount}});
}

void require_threshold(const Call& call, const std::string& account_id, const Purpose& purpose) {
  const auto cash = balance(call, {Book::Kind::cash, account_id});
  const auto coupons = sum(usable_coupons(call, account_id, purpose));
  const auto owed = owed_by(call, account_id);
  const auto have = cash + coupons - owed;
  const auto need = call.settings.opening_threshold;
  if (have >= need) return;
  throw Refusal(
      Errc::InsufficientBalance,
      fmt::format(
          "To open this, cash and coupons of at least {} are needed; there are {} in cash "
          "and {} in coupons that apply{}: {} too little. Deposit with `iothub manage wallet "
          "deposit`.",
          need.to_string(), cash.to_string(), coupons.to_string(),
          owed > Money{} ? fmt::format(", and {} is owed", owed.to_string()) : "",
          (need - have).to_string()));
}

std::optional<Payment> pay(const Call& call, const std::string& account_id, Money amount,
                           const Purpose& purpose, const std::string& reference,
                           const std::string& memo) {
  if (amount == Money{}) return Payment{};
  Payment payment;
  std::vector<Movement> movements{{{Book::Kind::revenue, ""}, amount}};
  for (const auto& coupon : usable_coupons(call, account_id, purpose)) {
    const auto part = std::min(coupon.remaining, amount - payment.from_coupons).whole_cents();
    if (part == Money{}) continue;
    movements.push_back({{Book::Kind::coupon, coupon.number}, -part});
    payment.from_coupons += part;
  }
  payment.from_cash = amount - payment.from_coupons;
  if (payment.from_cash > balance(call, {Book::Kind::cash, account_id})) return std::nullopt;
  movements.push_back({{Book::Kind::cash, account_id}, -payment.from_cash});
  if (!post(call, {account_id, "payment", reference, memo}, movements)) return std::nullopt;
  return payment;
}

Payment pay_with(const Call& call, const std::string& account_id, Money amount,
                 const Purpose& purpose, const std::optional<std::string>& number,
                 const std::string& reference, const std::string& memo) {
  Payment payment;
  std::vector<Movement> movements{{{Book::Kind::revenue, ""}, amount}};
  if (number) {
    const auto coupons = usable_coupons(call, account_id, purpose);
    const auto chosen = std::find_if(coupons.begin(), coupons.end(),
                                     [&](const Coupon& c) { return c.number == *number; });
    if (chosen == coupons.end())
      throw Refusal(Errc::CouponNotApplicable,
                    fmt::format("The coupon '{}' does not pay for {} by {}, has expired or is used "
                                "up. `iothub manage wallet coupons` lists what each is for.",
                                *number, purpose.product, purpose.charge_mode));
    payment.from_coupons = std::min(chosen->remaining, amount).whole_cents();
    movements.push_back({{Book::Kind::coupon, *number}, -payment.from_coupons});
  }
  payment.from_cash = amount - payment.from_coupons;
  const auto cash = balance(call, {Book::Kind::cash, account_id});
  if (payment.from_cash > cash)
    throw Refusal(
        Errc::InsufficientBalance,
        fmt::format("{} is to be paid in cash, and there is {}: {} too little. Deposit with "
                    "`iothub manage wallet deposit`, and pay the order then.",
                    payment.from_cash.to_string(), cash.to_string(),
                    (payment.from_cash - cash).to_string()));
  movements.push_back({{Book::Kind::cash, account_id}, -payment.from_cash});
  if (amount > Money{}) post(call, {account_id, "payment", reference, memo}, movements);
  return payment;
}

void refund(const Call& call, const std::string& account_id, const Payment& payment,
            const std::optional<std::string>& coupon, const std::string& reference,
            const std::string& memo) {
  std::vector<Movement> movements{
      {{Book::Kind::revenue, ""}, -(payment.from_coupons + payment.from_cash)},
      {{Book::Kind::cash, account_id}, payment.from_cash}};
  if (coupon) movements.push_back({{Book::Kind::coupon, *coupon}, payment.from_coupons});
  if (payment.from_coupons + payment.from_cash > Money{})
    post(call, {account_id, "refund", reference, memo}, movements);
}

}  // namespace hub::instances
