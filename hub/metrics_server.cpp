#include "hub/metrics_server.h"

#include "hub/metrics.h"

namespace hub {

http::Response answer_metrics(const http::Request& request, const HubReport& report) {
  http::Response out;
  if (request.path != "/metrics" && request.path != "/health") {
    out.status = 404;
    out.body = R"({"title":"there are /metrics and /health"})";
  } else if (request.method != "GET" && request.method != "HEAD") {
    out.status = 405;
    out.body = R"({"title":"only GET is answered"})";
    out.headers.emplace_back("Allow", "GET, HEAD");
  } else if (request.path == "/metrics") {
    out.content_type = "text/plain; version=0.0.4; charset=utf-8";
    out.body = write_metrics(report);
  } else if (report.healthy()) {
    out.body = R"({"status":"ok","database":"available"})";
  } else {
    out.status = 503;
    out.body = R"({"status":"degraded","database":"away"})";
  }
  return out;
}

std::unique_ptr<http::Server> serve_metrics(std::uint16_t port, const HubStatus& status) {
  if (port == 0) return nullptr;
  http::ServerOptions options;
  options.port = port;
  options.handler_threads = 1;
  options.max_body_bytes = 1024;
  options.max_connections = 100;
  return std::make_unique<http::Server>(options, [&status](const http::Request& request) {
    return answer_metrics(request, status.report());
  });
}

}  // namespace hub
