#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/manage/shapes.h"
#include "http/routes.h"
#include "instances/accounts/accounts.h"
#include "instances/accounts/verification.h"
#include "instances/core/call.h"
#include "instances/core/clock.h"
#include "instances/core/database.h"
#include "instances/provider/provider.h"

namespace hub::api {

// What the API works with. Borrows all but the last two.
struct ManageParts {
  instances::Database& database;
  const instances::Clock& clock;
  const instances::Settings& settings;
  instances::Verifier& verifier;
  instances::Isolation isolation = instances::Isolation::namespaces;
  std::string version;

  // Runs work(Call) in a transaction.
  template <class F>
  auto transact(F&& work) const {
    return database.transact(
        [&](instances::Tx& tx) { return work(instances::Call{tx, clock.now(), settings}); });
  }
};

// A call of one who is not signed in: its work makes its own transactions.
struct OpenTurn {
  const ManageParts& parts;
  const http::RouteRequest& request;
};

// One call of an account that is signed in: everything in one transaction, in the name of
// `account`, which an operator may choose (X-Account).
struct Turn {
  const ManageParts& parts;
  const http::RouteRequest& request;
  const instances::Call& call;
  const instances::Principal& principal;
  const std::string& account;  // its id

  // The version that If-Match names.
  [[nodiscard]] std::optional<std::int64_t> expected_version() const;

  // Of the path; of the query, where what is not given is empty.
  [[nodiscard]] std::string parameter(const char* name) const {
    return request.parameters.at(name);
  }
  [[nodiscard]] std::string query(const char* name) const;

  // Fields of the body, whose types the schema has made sure of.
  [[nodiscard]] std::string text(const char* name, const char* otherwise = "") const;
  [[nodiscard]] std::int64_t integer(const char* name, std::int64_t otherwise) const;
  [[nodiscard]] std::vector<std::string> texts(const char* name) const;
};

struct Answer {
  boost::json::object body{};
  std::optional<std::int64_t> version{};  // becomes the ETag
  bool secret = false;  // holds what is told once: not kept for a repeat of the request
};

// The answer of what is carried out later: shapes::started.
[[nodiscard]] Answer started(const std::string& operation_id);

// How many things a list has, and those of one page.
struct PageOf {
  std::int64_t total = 0;
  std::vector<boost::json::object> items{};
};

// A page that the database cut out of a list.
template <class T>
PageOf page_of(std::int64_t total, const std::vector<T>& page) {
  PageOf out{total};
  for (const auto& item : page) out.items.push_back(shapes::of(item));
  return out;
}

// A page of a list that is whole in memory.
template <class T, class F>
PageOf page_of(const std::vector<T>& all, int offset, int limit, F&& to_object) {
  PageOf page{static_cast<std::int64_t>(all.size())};
  for (auto i = static_cast<std::size_t>(offset);
       i < all.size() && page.items.size() < static_cast<std::size_t>(limit); ++i)
    page.items.push_back(to_object(all[i]));
  return page;
}
template <class T>
PageOf page_of(const std::vector<T>& all, int offset, int limit) {
  return page_of(all, offset, limit, [](const T& item) { return shapes::of(item); });
}

}  // namespace hub::api
