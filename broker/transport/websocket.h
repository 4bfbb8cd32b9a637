#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "broker/transport/filter.h"

namespace hub::broker {

// Which WebSockets a listener opens, and what they may send.
struct WebSocketOptions {
  std::vector<std::string> paths{"/mqtt"};  // without a query, as written; empty: any
  // From which a browser's pages may come, as "https://console.example"; empty: from any. What is
  // no browser says no origin, and is let in.
  std::vector<std::string> origins{};
  std::size_t max_header_bytes = 8 * 1024;  // of the HTTP request; more than 60 KiB counts as that
  // Of one frame. No frame is ever kept, so it bounds no memory: the longest MQTT packet fits in.
  std::uint64_t max_frame_bytes = 256 * 1024 * 1024 + 4;
};

// The server's end of a WebSocket that carries MQTT (RFC 6455; MQTT 5.0 section 6), from its HTTP
// request on. It speaks the sub-protocol "mqtt", and "mqttv3.1" to those that know nothing else; no
// extensions.
//
// Payloads go on as they come, whole frames or not [MQTT-6.0.0-2]; each send() makes one frame.
// What it appends to `answer` is at most as long as what it was given, and kMaxWebSocketAnswer
// more. It is `failed` when the request is refused or a rule of RFC 6455 or of [MQTT-6.0.0-1] is
// broken, and `ended` at a close frame; the answer then tells the client so, and what is sent after
// that, or after end(), is dropped. end() before the handshake is done sends nothing.
//
// Less than 200 bytes while nothing comes in. `options` outlive it.
[[nodiscard]] std::unique_ptr<Filter> make_websocket(const WebSocketOptions& options);

// The longest answer to a request, and a close frame.
inline constexpr std::size_t kMaxWebSocketAnswer = 512;

}  // namespace hub::broker
