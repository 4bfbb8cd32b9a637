#pragma once

#include <string>
#include <utility>
#include <vector>

namespace hub::storage {

// libpq's keywords and their values.
using ConnectionParameters = std::vector<std::pair<std::string, std::string>>;

// Those of a postgresql:// URL or a key=value string, and where it is silent: a host gets 5 s
// (connect_timeout), and a silent peer is given up after 20 s (tcp_user_timeout). Throws
// std::invalid_argument, with libpq's words, when it is neither.
[[nodiscard]] ConnectionParameters connection_parameters(const std::string& url);

// As one key=value string.
[[nodiscard]] std::string to_string(const ConnectionParameters& parameters);

}  // namespace hub::storage
