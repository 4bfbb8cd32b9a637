#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "http/problem.h"
#include "http/rate_limiter.h"
#include "http/routes.h"
#include "instances/accounts/accounts.h"
#include "instances/accounts/verification.h"
#include "instances/core/clock.h"
#include "instances/core/database.h"
#include "instances/core/errc.h"
#include "instances/provider/provider.h"

namespace hub::api {

// The HTTP API of the control plane: the routes under /v1. Thread-safe.
class ManageApi {
 public:
  struct Parts {
    instances::Database& database;
    const instances::Clock& clock;
    const instances::Settings& settings;
    instances::Verifier& verifier;
    instances::Isolation isolation = instances::Isolation::namespaces;
    std::string version;
  };
  explicit ManageApi(Parts parts);

  [[nodiscard]] http::Response handle(const http::Request& request) const {
    return router_.handle(request);
  }
  [[nodiscard]] const http::Router& router() const { return router_; }

  // --- For the route tables ---

  // One call of an account that is signed in: everything in one transaction, in the name of
  // `account`, which an operator may choose (X-Account).
  struct Turn {
    const instances::Call& call;
    const instances::Principal& principal;
    const std::string& account;
    const http::RouteRequest& request;

    // The version that If-Match names.
    [[nodiscard]] std::optional<std::int64_t> expected_version() const;
    [[nodiscard]] std::string parameter(const char* name) const {
      return request.parameters.at(name);
    }
    [[nodiscard]] std::string query(const char* name) const;
    [[nodiscard]] std::string text(const char* name, const char* otherwise = "") const;
    [[nodiscard]] std::int64_t integer(const char* name, std::int64_t otherwise) const;
    [[nodiscard]] std::vector<std::string> texts(const char* name) const;
  };
  struct Answer {
    boost::json::object body;
    std::optional<std::int64_t> version;  // becomes the ETag
    bool secret = false;  // holds what is told once: not kept for a repeat of the request
  };
  // Offset and size of the page asked for; totals and items of the page given.
  struct PageOf {
    std::int64_t total = 0;
    std::vector<boost::json::object> items;
  };

  using Work = std::function<Answer(const Turn&)>;
  using ListWork = std::function<PageOf(const Turn&, int offset, int limit)>;
  [[nodiscard]] std::function<http::Response(const http::RouteRequest&)> signed_in(Work work);
  [[nodiscard]] std::function<http::Response(const http::RouteRequest&)> list(ListWork work);
  // Open to all, and limited by address.
  [[nodiscard]] std::function<http::Response(const http::RouteRequest&)> open(
      std::function<http::Response(const http::RouteRequest&)> work);

  [[nodiscard]] const Parts& parts() const { return parts_; }
  // Runs work(Call) in a transaction; a Refusal becomes a Problem.
  template <class F>
  auto transact(F&& work) const {
    return guarded([&] {
      return parts_.database.transact([&](instances::Tx& tx) {
        return work(instances::Call{tx, parts_.clock.now(), parts_.settings});
      });
    });
  }

 private:
  template <class F>
  static auto guarded(F&& work) {
    try {
      return work();
    } catch (const instances::Refusal& refusal) {
      throw to_problem(refusal);
    }
  }
  static http::Problem to_problem(const instances::Refusal& refusal);
  http::Response run(const http::RouteRequest& request, const Work& work);

  Parts parts_;
  http::RateLimiter callers_{50, 200};  // by token
  http::RateLimiter strangers_{5, 30};  // by address
  http::Router router_;
};

// A page of a list that is whole in memory.
template <class T, class F>
ManageApi::PageOf page_of(const std::vector<T>& all, int offset, int limit, F&& to_object) {
  ManageApi::PageOf page{static_cast<std::int64_t>(all.size()), {}};
  for (auto i = static_cast<std::size_t>(offset);
       i < all.size() && page.items.size() < static_cast<std::size_t>(limit); ++i)
    page.items.push_back(to_object(all[i]));
  return page;
}

// The route tables, each of one subject.
void add_account_routes(ManageApi& api, std::vector<http::Route>& routes);
void add_operator_routes(ManageApi& api, std::vector<http::Route>& routes);
void add_money_routes(ManageApi& api, std::vector<http::Route>& routes);
void add_network_routes(ManageApi& api, std::vector<http::Route>& routes);
void add_rds_routes(ManageApi& api, std::vector<http::Route>& routes);
void add_hub_routes(ManageApi& api, std::vector<http::Route>& routes);

}  // namespace hub::api
