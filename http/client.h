#pragma once

#include <chrono>
#include <string>

#include "http/message.h"

namespace hub::api {

// Sends one request to http://host:port and returns the answer. Blocks, `timeout` at most. Throws
// std::runtime_error when there is none. request.path is the target, with its query.
[[nodiscard]] HttpResponse http_call(const std::string& host, std::uint16_t port,
                                     const HttpRequest& request,
                                     std::chrono::seconds timeout = std::chrono::seconds{30});

}  // namespace hub::api
