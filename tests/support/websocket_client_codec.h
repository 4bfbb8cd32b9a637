#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The client's side of WebSocket, for tests: requests and frames, also such as a client must not
// send, and what a server answers (RFC 6455).
namespace hub::websocket::client {

// The HTTP request that opens a WebSocket: right, until it is changed.
class Request {
 public:
  // With the key that RFC 6455 section 1.3 has for an example, and this answer to it.
  static constexpr std::string_view kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

  Request& line(std::string_view request_line);                 // "GET /mqtt HTTP/1.1"
  Request& set(std::string_view name, std::string_view value);  // in place of all of that name
  Request& add(std::string_view name, std::string_view value);
  Request& remove(std::string_view name);

  [[nodiscard]] std::string text() const;

 private:
  std::string line_ = "GET /mqtt HTTP/1.1";
  std::vector<std::pair<std::string, std::string>> fields_{
      {"Host", "hub.example"},
      {"Upgrade", "websocket"},
      {"Connection", "Upgrade"},
      {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
      {"Sec-WebSocket-Protocol", "mqtt"},
      {"Sec-WebSocket-Version", "13"},
  };
};

enum class Opcode : std::uint8_t { continuation, text, binary, close = 8, ping, pong };

// A frame (section 5.2). By default a whole message as a client sends it.
struct Frame {
  Opcode opcode = Opcode::binary;
  std::string payload{};
  bool is_final = true;
  std::optional<std::array<char, 4>> mask = std::array<char, 4>{'\x37', '\xfa', '\x21', '\x3d'};
  std::uint8_t reserved_bits = 0;            // 0 to 7
  std::size_t length_bytes = 0;              // that the length is written in: 1, 2, 8; 0: the least
  std::optional<std::uint64_t> length = {};  // what it says in place of the payload's
};
[[nodiscard]] std::string encode(const Frame& frame);

// The frames that a server sends: without a mask, in the shortest form. Nothing when these are not
// such frames, or the last one is not whole.
[[nodiscard]] std::optional<std::vector<Frame>> decode_frames(std::string_view bytes);

// The payload of a close frame.
[[nodiscard]] std::string close_payload(std::uint16_t code, std::string_view reason = {});

}  // namespace hub::websocket::client
