#include "broker/transport/websocket.h"

#include "broker/transport/websocket_frames.h"
#include "broker/transport/websocket_handshake.h"

namespace hub::broker {
namespace {

class WebSocket final : public Filter {
 public:
  explicit WebSocket(const WebSocketOptions& options)
      : handshake_(std::make_unique<WebSocketHandshake>(options)),
        frames_(options.max_frame_bytes) {}

  State receive(std::string_view bytes, std::string& received, std::string& answer) override {
    if (handshake_) {
      switch (handshake_->receive(bytes, answer)) {
        case WebSocketHandshake::State::unfinished:
          return State::open;
        case WebSocketHandshake::State::refused:
          return State::failed;
        case WebSocketHandshake::State::accepted:
          handshake_.reset();
      }
    }
    return frames_.receive(bytes, received, answer);
  }

  void send(std::string_view bytes, std::string& out) override { frames_.send(bytes, out); }

  void end(std::string& out) override {
    if (is_established()) frames_.end(out);
  }

  [[nodiscard]] bool is_established() const override { return !handshake_; }

  [[nodiscard]] std::string failure() const override {
    return handshake_ ? handshake_->refusal() : frames_.failure();
  }

 private:
  std::unique_ptr<WebSocketHandshake> handshake_;  // until it is done
  WebSocketFrames frames_;
};

static_assert(sizeof(WebSocket) < 200);

}  // namespace

std::unique_ptr<Filter> make_websocket(const WebSocketOptions& options) {
  return std::make_unique<WebSocket>(options);
}

}  // namespace hub::broker
