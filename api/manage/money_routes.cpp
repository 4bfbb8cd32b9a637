#include "api/manage/api_routes.h"

namespace hub::api {
namespace {

using namespace instances;
using http::Schema;
using F = http::FieldType;

const Schema kBinding{"CouponBinding", {{"number", F::text, true, "The coupon's number"}}};

Answer get_the_wallet(const Turn& turn) {
  return {shapes::of(get_wallet(turn.call, turn.account))};
}

PageOf page_of_ledger(const Turn& turn, int offset, int limit) {
  return page_of(count_statement(turn.call, turn.account),
                 list_statement(turn.call, turn.account, offset, limit));
}

PageOf page_of_coupons(const Turn& turn, int offset, int limit) {
  return page_of(list_coupons(turn.call, turn.account), offset, limit);
}

Answer bind_one_coupon(const Turn& turn) {
  const auto coupon = bind_coupon(turn.call, turn.account, turn.text("number"));
  pay_open_bills(turn.call, turn.account);
  return {shapes::of(coupon)};
}

PageOf page_of_bills(const Turn& turn, int offset, int limit) {
  const auto resource = turn.query("resource");
  return page_of(count_bills(turn.call, turn.account, resource),
                 list_bills(turn.call, turn.account, resource, offset, limit));
}

}  // namespace

std::vector<ApiRoute> money_routes() {
  return {
      {"GET", "/v1/wallet", "getWallet", "read", "What there is, and what is owed", get_the_wallet,
       Shape{.answer = &shapes::wallet}},
      {"GET", "/v1/wallet/ledger", "listLedger", "read", "What came and went, the newest first",
       page_of_ledger, Shape{.answer = &shapes::ledger_line}},
      {"GET", "/v1/coupons", "listCoupons", "read", "The account's coupons", page_of_coupons,
       Shape{.answer = &shapes::coupon}},
      {"POST", "/v1/coupons", "bindCoupon", "write", "Makes a coupon the account's",
       bind_one_coupon, Shape{.request = &kBinding, .answer = &shapes::coupon}},
      {"GET", "/v1/bills", "listBills", "read", "The account's bills, the newest first",
       page_of_bills, Shape{.answer = &shapes::bill, .query = {"resource"}}},
  };
}

}  // namespace hub::api
