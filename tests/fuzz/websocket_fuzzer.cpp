// Feeds any bytes to the server's end of a WebSocket, as a client would. The first byte of the
// input says what stands before the rest of it (bit 0: a right handshake) and what the server has
// done (bit 1: it has sent its close frame); the second one seeds where the rest is torn.
//
// Beyond not crashing: however the bytes are torn, it comes to the same; no more comes out than
// went in, but for one HTTP answer and one close frame; what is answered is a whole HTTP header or
// whole frames as a server may send them, of which a close frame is the last; a failure says why.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "broker/transport/websocket.h"
#include "tests/support/websocket_client_codec.h"

namespace hub::broker {
namespace {

using State = Filter::State;
using websocket::client::Opcode;

constexpr std::string_view kMessage = "a message";

void require(bool condition) {
  if (!condition) std::abort();
}

struct Outcome {
  State state = State::open;
  std::string received;
  std::string answer;
  std::string failure;
  std::string sent;  // by the server once all is fed
  bool is_established = false;

  bool operator==(const Outcome&) const = default;
};

struct Case {
  bool is_open = false;   // the handshake came before
  bool is_ended = false;  // and then the server's end()
  std::string_view bytes;
};

// `next_piece` says how long the next piece is, given how much is left.
template <class NextPiece>
Outcome outcome_of(const Case& input, NextPiece next_piece) {
  static const WebSocketOptions options{.origins = {"http://a"}, .max_frame_bytes = 1 << 20};
  const auto filter = make_websocket(options);
  Outcome outcome;
  if (input.is_open) {
    static const std::string request = websocket::client::Request{}.text();
    require(filter->receive(request, outcome.received, outcome.answer) == State::open);
    require(filter->is_established());
    outcome.answer.clear();
    std::string ignored;
    if (input.is_ended) filter->end(ignored);
  }
  std::string_view rest = input.bytes;
  while (outcome.state == State::open && !rest.empty()) {
    // On the heap and no byte longer, so that the address sanitizer sees one read too many.
    const std::size_t bytes = std::clamp<std::size_t>(next_piece(rest.size()), 1, rest.size());
    const auto piece = std::make_unique<char[]>(bytes);
    rest.copy(piece.get(), bytes);
    outcome.state = filter->receive({piece.get(), bytes}, outcome.received, outcome.answer);
    rest.remove_prefix(bytes);
  }
  if (outcome.state == State::failed) outcome.failure = filter->failure();
  outcome.is_established = filter->is_established();
  if (outcome.is_established) filter->send(kMessage, outcome.sent);
  filter->end(outcome.sent);
  return outcome;
}

// What the server sends behind the handshake, to its end.
void check_frames(const Case& input, const Outcome& outcome, std::string_view answer) {
  const auto frames = websocket::client::decode_frames(std::string{answer} + outcome.sent);
  require(frames.has_value());
  if (input.is_ended) {
    require(frames->empty());
    return;
  }
  require(!frames->empty() && frames->back().opcode == Opcode::close);
  const std::size_t before_close = frames->size() - 1;
  for (std::size_t i = 0; i < before_close; ++i) {
    const auto& frame = (*frames)[i];
    const bool is_message = outcome.state == State::open && i + 1 == before_close;
    require(frame.is_final && frame.opcode == (is_message ? Opcode::binary : Opcode::pong));
    require(is_message ? frame.payload == kMessage : frame.payload.size() <= 125);
  }
  require(frames->back().payload.size() <= 2);
  if (outcome.state != State::open) require(outcome.sent.empty());
}

void check(const Case& input) {
  const auto whole = outcome_of(input, [](std::size_t left) { return left; });
  require(whole.received.size() <= input.bytes.size());
  require(whole.answer.size() <= input.bytes.size() + kMaxWebSocketAnswer);
  require(whole.failure.empty() == (whole.state != State::failed));
  for (const char c : whole.failure) require(c >= ' ' || c < 0);

  std::string_view answer = whole.answer;
  if (!input.is_open && !answer.empty()) {
    require(answer.starts_with("HTTP/1.1 "));
    const std::size_t end = answer.find("\r\n\r\n");
    require(end != std::string_view::npos);
    require(answer.substr(9).starts_with("101 ") == whole.is_established);
    answer.remove_prefix(end + 4);
  }
  if (whole.is_established) {
    check_frames(input, whole, answer);
  } else {
    require(whole.received.empty() && whole.sent.empty() && whole.state != State::ended);
    require(whole.answer.empty() == (whole.state == State::open));
  }
}

void check_torn(const Case& input, unsigned seed) {
  const auto whole = outcome_of(input, [](std::size_t left) { return left; });
  require(outcome_of(input, [](std::size_t) { return 1; }) == whole);
  std::minstd_rand random{seed + 1};
  const auto any = [&random](std::size_t) { return 1 + random() % (random() % 2 == 0 ? 4 : 300); };
  require(outcome_of(input, any) == whole);
}

}  // namespace
}  // namespace hub::broker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const hub::broker::Case input{.is_open = (data[0] & 1) != 0,
                                .is_ended = (data[0] & 3) == 3,
                                .bytes = {reinterpret_cast<const char*>(data) + 2, size - 2}};
  hub::broker::check(input);
  hub::broker::check_torn(input, data[1]);
  return 0;
}
