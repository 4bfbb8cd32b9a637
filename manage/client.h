#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <iosfwd>
#include <stdexcept>
#include <string>

#include "manage/profile.h"

namespace hub::manage {

// The control plane's refusal of a call.
class Refusal : public std::runtime_error {
 public:
  Refusal(std::string code, const std::string& detail)
      : std::runtime_error(detail), code_(std::move(code)) {}
  [[nodiscard]] const std::string& code() const { return code_; }

 private:
  std::string code_;
};

// The HTTP API as the command line uses it. Throws Refusal for what the control plane
// refuses, and std::runtime_error when it does not answer.
class Client {
 public:
  explicit Client(Profile profile) : profile_(std::move(profile)) {}

  [[nodiscard]] Profile& profile() { return profile_; }

  boost::json::object get(const std::string& path) { return call("GET", path, {}); }
  // Carries an idempotency key of its own, so that a repeat after a lost answer changes nothing.
  boost::json::object post(const std::string& path, const boost::json::object& body = {});
  boost::json::object patch(const std::string& path, const boost::json::object& body) {
    return call("PATCH", path, body);
  }
  boost::json::object put(const std::string& path, const boost::json::object& body) {
    return call("PUT", path, body);
  }
  boost::json::object remove(const std::string& path) { return call("DELETE", path, {}); }

  // All the pages of a list.
  boost::json::array list(const std::string& path);

 private:
  boost::json::object call(const std::string& method, const std::string& path,
                           const boost::json::object& body, const std::string& key = "");

  Profile profile_;
};

// Text for a path's segment or a query's value.
[[nodiscard]] std::string url_encoded(std::string_view text);

// A field of an answer as a person reads it; empty when there is none.
[[nodiscard]] std::string shown(const boost::json::object& object, std::string_view name);

}  // namespace hub::manage
