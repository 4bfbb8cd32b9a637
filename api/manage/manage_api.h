#pragma once

#include <functional>
#include <string>

#include "api/manage/api_routes.h"
#include "api/manage/turn.h"
#include "http/problem.h"
#include "http/rate_limiter.h"
#include "http/routes.h"
#include "instances/core/errc.h"

namespace hub::api {

// The HTTP API of the control plane: the routes under /v1. Thread-safe.
class ManageApi {
 public:
  explicit ManageApi(ManageParts parts);

  [[nodiscard]] http::Response handle(const http::Request& request) const {
    return router_.handle(request);
  }
  [[nodiscard]] const http::Router& router() const { return router_; }

 private:
  using Handler = std::function<http::Response(const http::RouteRequest&)>;

  std::vector<http::Route> routes();
  http::Route route_of(const ApiRoute& row);
  Handler handler_of(Work work);
  Handler handler_of(ListWork work);
  Handler handler_of(OpenWork work);
  http::Response run(const http::RouteRequest& request,
                     const std::function<Answer(const Turn&)>& work);

  ManageParts parts_;
  http::RateLimiter callers_{50, 200};  // by token
  http::RateLimiter strangers_{5, 30};  // by address
  http::Router router_;
};

}  // namespace hub::api
