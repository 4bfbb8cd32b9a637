#pragma once

#include <cstdint>
#include <memory>

#include "http/server.h"
#include "hub/hub_status.h"

namespace hub {

// Serves GET /metrics and GET /health on a port of loopback; null when the port is 0. /health is
// 503 while the database is away. Throws std::runtime_error when it cannot listen. `status`
// outlives it.
[[nodiscard]] std::unique_ptr<http::Server> serve_metrics(std::uint16_t port,
                                                          const HubStatus& status);

// The answer to a request.
[[nodiscard]] http::Response answer_metrics(const http::Request& request, const HubReport& report);

}  // namespace hub
