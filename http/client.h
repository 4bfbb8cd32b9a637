#pragma once

#include <chrono>
#include <string>

#include "http/message.h"

namespace hub::http {

// Sends one request to http://host:port and returns the answer. Blocks, `timeout` at most. Throws
// std::runtime_error when there is none. request.path is the target, with its query.
[[nodiscard]] Response call(const std::string& host, std::uint16_t port, const Request& request,
                            std::chrono::seconds timeout = std::chrono::seconds{30});

}  // namespace hub::http
