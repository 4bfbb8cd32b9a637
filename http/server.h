#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "http/message.h"

namespace hub::http {

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: a free one
  int handler_threads = 4;
  std::size_t max_body_bytes = std::size_t{1} << 20;
  std::size_t max_connections = 1'000;
};

// Serves HTTP/1.1: connections on one thread, handlers on some others, where they may block.
class Server {
 public:
  // Listens at once. The handler is called on several threads; it must not throw. Throws
  // std::runtime_error when it cannot listen.
  Server(const ServerOptions& options, Handler handler);
  ~Server();  // as stop()
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] std::uint16_t port() const;

  // Closes the listener and the connections, and waits for the handlers that run.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hub::http
