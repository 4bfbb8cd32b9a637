#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/transport/websocket.h"

namespace hub::broker {

// The HTTP request that a WebSocket begins with, as far as it has come, and what it is answered
// with (RFC 6455 section 4.2).
class WebSocketHandshake {
 public:
  // `options` outlive it.
  explicit WebSocketHandshake(const WebSocketOptions& options);

  enum class State : std::uint8_t {
    unfinished,  // right so far
    accepted,    // what comes now is frames
    refused,
  };

  // Takes the request, or as much of it as there is, off the front of `bytes`; appends the answer
  // to `answer` once it is known. Not called again after another result than `unfinished`.
  State receive(std::string_view& bytes, std::string& answer);

  // Why, without control characters. REQUIRES State::refused.
  [[nodiscard]] const std::string& refusal() const noexcept { return refusal_; }

 private:
  const WebSocketOptions& options_;
  std::size_t max_bytes_;
  std::string request_;
  std::string refusal_;
};

}  // namespace hub::broker
