#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "http/message.h"

namespace hub::http {

// Thrown by a handler: becomes an answer of the form of RFC 9457.
class Problem : public std::runtime_error {
 public:
  Problem(int status, std::string code, std::string title, const std::string& detail)
      : std::runtime_error(detail),
        status_(status),
        code_(std::move(code)),
        title_(std::move(title)) {}

  static Problem invalid(const std::string& detail) {
    return {400, "InvalidRequest", "The request is not valid", detail};
  }

  [[nodiscard]] Response response(std::string_view instance) const;

 private:
  int status_;
  std::string code_;   // stable: what a program compares
  std::string title_;  // the same for all problems of the code
};

}  // namespace hub::http
