#include "api/manage/manage_api.h"
#include "api/manage/offers.h"
#include "api/manage/shapes.h"
#include "instances/operations/purchase.h"

namespace hub::api {
namespace {

using namespace instances;
using http::Schema;
using F = http::FieldType;
using Turn = ManageApi::Turn;
using Answer = ManageApi::Answer;
using PageOf = ManageApi::PageOf;

const Schema kBinding{"CouponBinding", {{"number", F::text, true, "The coupon's number"}}};
const Schema kConfirmation{
    "OrderConfirmation",
    {{"termsAccepted", F::boolean, true, "Whether the terms of service are accepted"}}};
const Schema kPayment{"OrderPayment",
                      {{"coupon", F::text, false, "Of a package: the one coupon to use"}}};

template <class T>
std::vector<boost::json::object> objects(const std::vector<T>& items) {
  std::vector<boost::json::object> out;
  for (const auto& item : items) out.push_back(shapes::of(item));
  return out;
}

Answer one_order(const Turn& turn, const Order& order) {
  return {describe_order(turn.call, order), {}, false};
}

Answer pay_one(const Turn& turn) {
  std::optional<std::string> coupon;
  if (const auto number = turn.text("coupon"); !number.empty()) coupon = number;
  return one_order(turn, pay_order(turn.call, turn.account, turn.parameter("order"), coupon));
}

void add_order_routes(ManageApi& api, std::vector<http::Route>& routes) {
  routes.push_back({.method = "GET",
                    .path = "/v1/orders",
                    .id = "listOrders",
                    .about = "The account's orders, the newest first",
                    .scope = "read",
                    .answer = &shapes::order,
                    .is_list = true,
                    .query = {},
                    .handler = api.list([](const Turn& turn, int offset, int limit) {
                      return PageOf{count_orders(turn.call, turn.account),
                                    objects(list_orders(turn.call, turn.account, offset, limit))};
                    })});
  routes.push_back({.method = "GET",
                    .path = "/v1/orders/{order}",
                    .id = "getOrder",
                    .about = "One order, with its price and its terms",
                    .scope = "read",
                    .answer = &shapes::order,
                    .query = {},
                    .handler = api.signed_in([](const Turn& turn) {
                      return one_order(turn,
                                       get_order(turn.call, turn.account, turn.parameter("order")));
                    })});
  routes.push_back({.method = "POST",
                    .path = "/v1/orders/{order}:confirm",
                    .id = "confirmOrder",
                    .about = "Confirms an order by accepting its terms",
                    .scope = "pay",
                    .request = &kConfirmation,
                    .answer = &shapes::order,
                    .query = {},
                    .handler = api.signed_in([](const Turn& turn) {
                      return one_order(
                          turn, confirm_order(turn.call, turn.account, turn.parameter("order"),
                                              turn.request.body.at("termsAccepted").get_bool()));
                    })});
  routes.push_back({.method = "POST",
                    .path = "/v1/orders/{order}:pay",
                    .id = "payOrder",
                    .about = "Pays an order, and starts what it is for",
                    .scope = "pay",
                    .request = &kPayment,
                    .answer = &shapes::order,
                    .query = {},
                    .handler = api.signed_in(pay_one)});
  routes.push_back(
      {.method = "POST",
       .path = "/v1/orders/{order}:cancel",
       .id = "cancelOrder",
       .about = "Cancels an order that is not paid",
       .scope = "pay",
       .answer = &shapes::order,
       .query = {},
       .handler = api.signed_in([](const Turn& turn) {
         return Answer{
             shapes::of(cancel_order(turn.call, turn.account, turn.parameter("order"))), {}, false};
       })});
}

}  // namespace

void add_money_routes(ManageApi& api, std::vector<http::Route>& routes) {
  routes.push_back({.method = "GET",
                    .path = "/v1/wallet",
                    .id = "getWallet",
                    .about = "What there is, and what is owed",
                    .scope = "read",
                    .answer = &shapes::wallet,
                    .query = {},
                    .handler = api.signed_in([](const Turn& turn) {
                      return Answer{shapes::of(get_wallet(turn.call, turn.account)), {}, false};
                    })});
  routes.push_back({.method = "GET",
                    .path = "/v1/wallet/ledger",
                    .id = "listLedger",
                    .about = "What came and went, the newest first",
                    .scope = "read",
                    .answer = &shapes::ledger_line,
                    .is_list = true,
                    .query = {},
                    .handler = api.list([](const Turn& turn, int offset, int limit) {
                      return PageOf{
                          count_statement(turn.call, turn.account),
                          objects(list_statement(turn.call, turn.account, offset, limit))};
                    })});
  routes.push_back({.method = "GET",
                    .path = "/v1/coupons",
                    .id = "listCoupons",
                    .about = "The account's coupons",
                    .scope = "read",
                    .answer = &shapes::coupon,
                    .is_list = true,
                    .query = {},
                    .handler = api.list([](const Turn& turn, int offset, int limit) {
                      return page_of(list_coupons(turn.call, turn.account), offset, limit,
                                     [](const Coupon& c) { return shapes::of(c); });
                    })});
  routes.push_back({.method = "POST",
                    .path = "/v1/coupons",
                    .id = "bindCoupon",
                    .about = "Makes a coupon the account's",
                    .scope = "write",
                    .request = &kBinding,
                    .answer = &shapes::coupon,
                    .query = {},
                    .handler = api.signed_in([](const Turn& turn) {
                      auto coupon = bind_coupon(turn.call, turn.account, turn.text("number"));
                      pay_open_bills(turn.call, turn.account);
                      return Answer{shapes::of(coupon), {}, false};
                    })});
  routes.push_back({.method = "GET",
                    .path = "/v1/bills",
                    .id = "listBills",
                    .about = "The account's bills, the newest first",
                    .scope = "read",
                    .answer = &shapes::bill,
                    .is_list = true,
                    .query = {"resource"},
                    .handler = api.list([](const Turn& turn, int offset, int limit) {
                      const auto resource = turn.query("resource");
                      return PageOf{
                          count_bills(turn.call, turn.account, resource),
                          objects(list_bills(turn.call, turn.account, resource, offset, limit))};
                    })});
  routes.push_back(
      {.method = "GET",
       .path = "/v1/operations",
       .id = "listOperations",
       .about = "Work on the machine, the newest first",
       .scope = "read",
       .answer = &shapes::operation,
       .is_list = true,
       .query = {"resource"},
       .handler = api.list([](const Turn& turn, int offset, int limit) {
         const auto resource = turn.query("resource");
         return PageOf{count_operations(turn.call, turn.account, resource),
                       objects(list_operations(turn.call, turn.account, resource, offset, limit))};
       })});
  routes.push_back({.method = "GET",
                    .path = "/v1/operations/{operation}",
                    .id = "getOperation",
                    .about = "One piece of work, with its steps",
                    .scope = "read",
                    .answer = &shapes::operation,
                    .query = {},
                    .handler = api.signed_in([](const Turn& turn) {
                      return Answer{shapes::of(get_operation(turn.call, turn.account,
                                                             turn.parameter("operation"))),
                                    {},
                                    false};
                    })});
  add_order_routes(api, routes);
}

}  // namespace hub::api
