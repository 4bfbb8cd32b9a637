#include "api/manage/api_routes.h"

namespace hub::api {
namespace {

using namespace instances;

PageOf list_all(const Turn& turn, int offset, int limit) {
  const auto resource = turn.query("resource");
  return page_of(count_operations(turn.call, turn.account, resource),
                 list_operations(turn.call, turn.account, resource, offset, limit));
}

Answer get_one(const Turn& turn) {
  return {shapes::of(get_operation(turn.call, turn.account, turn.parameter("operation")))};
}

}  // namespace

std::vector<ApiRoute> operation_routes() {
  return {
      {"GET", "/v1/operations", "listOperations", "read", "Work on the machine, the newest first",
       list_all, Shape{.answer = &shapes::operation, .query = {"resource"}}},
      {"GET", "/v1/operations/{operation}", "getOperation", "read",
       "One piece of work, with its steps", get_one, Shape{.answer = &shapes::operation}},
  };
}

}  // namespace hub::api
