#include "api/manage/api_routes.h"
#include "api/manage/offers.h"
#include "instances/operations/purchase.h"

namespace hub::api {
namespace {

using namespace instances;
using http::Schema;
using F = http::FieldType;

const Schema kConfirmation{
    "OrderConfirmation",
    {{"termsAccepted", F::boolean, true, "Whether the terms of service are accepted"}}};
const Schema kPayment{"OrderPayment",
                      {{"coupon", F::text, false, "Of a package: the one coupon to use"}}};

Answer answer_of(const Turn& turn, const Order& order) {
  return {describe_order(turn.call, order)};
}

PageOf list_all(const Turn& turn, int offset, int limit) {
  return page_of(count_orders(turn.call, turn.account),
                 list_orders(turn.call, turn.account, offset, limit));
}

Answer get_one(const Turn& turn) {
  return answer_of(turn, get_order(turn.call, turn.account, turn.parameter("order")));
}

Answer confirm_one(const Turn& turn) {
  const bool accepted = turn.request.body.at("termsAccepted").get_bool();
  return answer_of(turn, confirm_order(turn.call, turn.account, turn.parameter("order"), accepted));
}

Answer pay_one(const Turn& turn) {
  std::optional<std::string> coupon;
  if (const auto number = turn.text("coupon"); !number.empty()) coupon = number;
  return answer_of(turn, pay_order(turn.call, turn.account, turn.parameter("order"), coupon));
}

Answer cancel_one(const Turn& turn) {
  return {shapes::of(cancel_order(turn.call, turn.account, turn.parameter("order")))};
}

}  // namespace

std::vector<ApiRoute> order_routes() {
  return {
      {"GET", "/v1/orders", "listOrders", "read", "The account's orders, the newest first",
       list_all, Shape{.answer = &shapes::order}},
      {"GET", "/v1/orders/{order}", "getOrder", "read", "One order, with its price and its terms",
       get_one, Shape{.answer = &shapes::order}},
      {"POST", "/v1/orders/{order}:confirm", "confirmOrder", "pay",
       "Confirms an order by accepting its terms", confirm_one,
       Shape{.request = &kConfirmation, .answer = &shapes::order}},
      {"POST", "/v1/orders/{order}:pay", "payOrder", "pay",
       "Pays an order, and starts what it is for", pay_one,
       Shape{.request = &kPayment, .answer = &shapes::order}},
      {"POST", "/v1/orders/{order}:cancel", "cancelOrder", "pay",
       "Cancels an order that is not paid", cancel_one, Shape{.answer = &shapes::order}},
  };
}

}  // namespace hub::api
