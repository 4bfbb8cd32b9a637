#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hub::broker {

// Changes the bytes between a socket and its connection: TLS, WebSocket. Bytes in, bytes out; no
// I/O, no clock, no thread. Several stand one behind the other: what one has received is what the
// next one receives. One connection's.
class Filter {
 public:
  virtual ~Filter() = default;

  enum class State : std::uint8_t {
    open,
    ended,   // the other end has said that nothing more comes
    failed,  // it broke the rules, or was refused: failure() says how
  };

  // Takes all of `bytes`, from the socket's side. Appends what they mean to `received`, and what is
  // to be sent of the filter's own accord (a handshake, a pong, an alert) to `answer`; both also
  // when the result is not `open`. Not called again after another result.
  virtual State receive(std::string_view bytes, std::string& received, std::string& answer) = 0;

  // Appends to `out` what carries `bytes` over the socket. REQUIRES is_established().
  virtual void send(std::string_view bytes, std::string& out) = 0;

  // Appends to `out` the last that is sent: nothing is sent after it.
  virtual void end(std::string& out) = 0;

  // The handshake is done.
  [[nodiscard]] virtual bool is_established() const = 0;

  // Why it failed, for the log, in a few words without a full stop. REQUIRES State::failed.
  [[nodiscard]] virtual std::string failure() const = 0;
};

}  // namespace hub::broker
