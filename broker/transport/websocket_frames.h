#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "broker/transport/filter.h"

namespace hub::broker {

// What kind of frame it is (RFC 6455 section 5.2).
enum class FrameOpcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10,
};

// Why a WebSocket is closed, as the other end is told (RFC 6455 section 7.4.1).
enum class CloseCode : std::uint16_t {
  normal = 1000,
  protocol_error = 1002,
  unsupported_data = 1003,
  invalid_text = 1007,
  too_big = 1009,
};

// The server's end of an open WebSocket, without the handshake: frames in, frames out (RFC 6455
// sections 5 and 7). A Filter's calls, with their contracts.
//
// Of what came it keeps the header of a frame, or the payload of a control frame, and only until
// that is whole.
class WebSocketFrames {
 public:
  explicit WebSocketFrames(std::uint64_t max_frame_bytes) : max_frame_bytes_(max_frame_bytes) {}

  Filter::State receive(std::string_view bytes, std::string& received, std::string& answer);
  void send(std::string_view bytes, std::string& out) const;
  void end(std::string& out);

  // REQUIRES that receive() has failed. Static text.
  [[nodiscard]] const char* failure() const noexcept { return failure_; }

 private:
  static constexpr std::size_t kMaxHeaderBytes = 14;

  [[nodiscard]] bool is_final() const noexcept { return (header_[0] & 0x80) != 0; }
  [[nodiscard]] FrameOpcode opcode() const noexcept {
    return static_cast<FrameOpcode>(header_[0] & 0x0F);
  }
  [[nodiscard]] bool is_control() const noexcept { return (header_[0] & 0x08) != 0; }

  bool take_header(std::string_view& bytes);
  Filter::State begin_frame(std::string& answer);
  Filter::State begin_payload(std::string& answer);
  Filter::State take_payload(std::string_view& bytes, std::string& received, std::string& answer);
  Filter::State end_control_frame(std::string& answer);
  Filter::State on_close(std::string_view payload, std::string& answer);
  Filter::State fail(CloseCode code, const char* what, std::string& answer);

  std::uint64_t max_frame_bytes_;
  std::uint64_t payload_left_ = 0;
  std::unique_ptr<std::string> control_;  // the payload of a control frame, as far as it is there
  const char* failure_ = nullptr;
  std::array<char, 4> mask_{};  // from the byte on that unmasks the next one
  std::array<unsigned char, kMaxHeaderBytes> header_{};
  std::uint8_t header_bytes_ = 0;
  bool in_payload_ = false;  // the header is whole
  bool in_message_ = false;  // the last data frame was not the final one of its message
  bool close_sent_ = false;
};

}  // namespace hub::broker
