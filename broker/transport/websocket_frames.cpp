#include "broker/transport/websocket_frames.h"

#include <algorithm>
#include <cstring>

#include "base/topic.h"

namespace hub::broker {
namespace {

using State = Filter::State;
using Mask = std::array<char, 4>;

constexpr std::size_t kMaxControlPayload = 125;
// In a length's first seven bits: it follows in two bytes, in eight.
constexpr unsigned kLength16 = 126;
constexpr unsigned kLength64 = 127;

std::uint64_t read_big_endian(const unsigned char* bytes, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

void append_big_endian(std::uint64_t value, std::size_t count, std::string& out) {
  for (std::size_t i = count; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

void append_frame(FrameOpcode opcode, std::string_view payload, std::string& out) {
  out += static_cast<char>(0x80 | static_cast<unsigned>(opcode));
  if (payload.size() < kLength16) {
    out += static_cast<char>(payload.size());
  } else if (payload.size() <= 0xFFFF) {
    out += static_cast<char>(kLength16);
    append_big_endian(payload.size(), 2, out);
  } else {
    out += static_cast<char>(kLength64);
    append_big_endian(payload.size(), 8, out);
  }
  out += payload;
}

void append_close(CloseCode code, std::string& out) {
  std::string payload;
  append_big_endian(static_cast<std::uint64_t>(code), 2, payload);
  append_frame(FrameOpcode::close, payload, out);
}

// Eight bytes at a time. Afterwards the mask begins with the byte that unmasks what comes next.
void append_unmasked(std::string_view masked, Mask& mask, std::string& out) {
  const std::size_t before = out.size();
  out += masked;
  char* at = out.data() + before;
  char* const end = out.data() + out.size();
  std::uint64_t key = 0;
  std::memcpy(&key, mask.data(), mask.size());
  std::memcpy(reinterpret_cast<char*>(&key) + mask.size(), mask.data(), mask.size());
  for (; end - at >= 8; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    word ^= key;
    std::memcpy(at, &word, sizeof word);
  }
  for (std::size_t i = 0; at != end; ++at, ++i) *at = static_cast<char>(*at ^ mask[i % 4]);
  std::rotate(mask.begin(), mask.begin() + masked.size() % 4, mask.end());
}

// Codes that may stand in a close frame: those of RFC 6455 and of IANA's registry that are not
// reserved for use within one end, and those that applications may define (sections 7.4.1, 7.4.2).
bool may_be_sent(std::uint64_t close_code) {
  return (close_code >= 1000 && close_code <= 1003) || (close_code >= 1007 && close_code <= 1014) ||
         (close_code >= 3000 && close_code <= 4999);
}

}  // namespace

State WebSocketFrames::receive(std::string_view bytes, std::string& received, std::string& answer) {
  State state = State::open;
  while (state == State::open && !bytes.empty()) {
    if (!in_payload_) {
      if (!take_header(bytes)) break;
      state = begin_frame(answer);
      if (state != State::open) break;
    }
    state = take_payload(bytes, received, answer);
  }
  return state;
}

void WebSocketFrames::send(std::string_view bytes, std::string& out) const {
  if (close_sent_ || bytes.empty()) return;
  append_frame(FrameOpcode::binary, bytes, out);
}

void WebSocketFrames::end(std::string& out) {
  if (close_sent_) return;
  append_close(CloseCode::normal, out);
  close_sent_ = true;
}

// True once the header is whole: its first two bytes say how long it is.
bool WebSocketFrames::take_header(std::string_view& bytes) {
  for (;;) {
    std::size_t whole = 2;
    if (header_bytes_ >= 2) {
      const unsigned length = header_[1] & 0x7F;
      whole += length == kLength16 ? 2 : length == kLength64 ? 8 : 0;
      if ((header_[1] & 0x80) != 0) whole += mask_.size();
      if (header_bytes_ == whole) return true;
    }
    const std::size_t taken = std::min(whole - header_bytes_, bytes.size());
    if (taken == 0) return false;
    std::memcpy(header_.data() + header_bytes_, bytes.data(), taken);
    header_bytes_ += static_cast<std::uint8_t>(taken);
    bytes.remove_prefix(taken);
  }
}

// Judges the first two bytes of a whole header.
State WebSocketFrames::begin_frame(std::string& answer) {
  const auto wrong = [&](const char* what) {
    return fail(CloseCode::protocol_error, what, answer);
  };
  if ((header_[0] & 0x70) != 0) return wrong("a frame with reserved bits (RFC 6455 section 5.2)");
  if ((header_[1] & 0x80) == 0) return wrong("a frame without a mask (RFC 6455 section 5.1)");
  switch (opcode()) {
    case FrameOpcode::continuation:
      if (!in_message_) return wrong("a continuation of no message (RFC 6455 section 5.4)");
      in_message_ = !is_final();
      break;
    case FrameOpcode::binary:
      if (in_message_) return wrong("a message within a message (RFC 6455 section 5.4)");
      in_message_ = !is_final();
      break;
    case FrameOpcode::text:
      return fail(CloseCode::unsupported_data, "a text frame [MQTT-6.0.0-1]", answer);
    case FrameOpcode::close:
    case FrameOpcode::ping:
    case FrameOpcode::pong:
      if (!is_final()) return wrong("a control frame in fragments (RFC 6455 section 5.5)");
      if ((header_[1] & 0x7Fu) > kMaxControlPayload) {
        return wrong("a control frame that is too long (RFC 6455 section 5.5)");
      }
      control_ = std::make_unique<std::string>();
      break;
    default:
      return wrong("a frame of an unknown kind (RFC 6455 section 5.2)");
  }
  return begin_payload(answer);
}

// Judges the length of a whole header.
State WebSocketFrames::begin_payload(std::string& answer) {
  const unsigned char* at = header_.data() + 2;
  payload_left_ = header_[1] & 0x7Fu;
  if (payload_left_ >= kLength16) {
    const bool is_long = payload_left_ == kLength64;
    const std::size_t count = is_long ? 8 : 2;
    payload_left_ = read_big_endian(at, count);
    at += count;
    if (payload_left_ < kLength16 || (is_long && payload_left_ <= 0xFFFF)) {
      return fail(CloseCode::protocol_error,
                  "a length not in its shortest form (RFC 6455 section 5.2)", answer);
    }
    if (payload_left_ >> 63 != 0) {
      return fail(CloseCode::protocol_error, "a length of 64 bits (RFC 6455 section 5.2)", answer);
    }
  }
  if (payload_left_ > max_frame_bytes_) {
    return fail(CloseCode::too_big, "a frame that is too long", answer);
  }
  std::memcpy(mask_.data(), at, mask_.size());
  in_payload_ = true;
  return State::open;
}

State WebSocketFrames::take_payload(std::string_view& bytes, std::string& received,
                                    std::string& answer) {
  const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(payload_left_, bytes.size()));
  append_unmasked(bytes.substr(0, taken), mask_, control_ ? *control_ : received);
  bytes.remove_prefix(taken);
  payload_left_ -= taken;
  if (payload_left_ > 0) return State::open;
  in_payload_ = false;
  header_bytes_ = 0;
  return control_ ? end_control_frame(answer) : State::open;
}

State WebSocketFrames::end_control_frame(std::string& answer) {
  const std::unique_ptr<std::string> payload = std::move(control_);
  if (opcode() == FrameOpcode::close) return on_close(*payload, answer);
  if (opcode() == FrameOpcode::ping && !close_sent_) {
    append_frame(FrameOpcode::pong, *payload, answer);
  }
  return State::open;
}

State WebSocketFrames::on_close(std::string_view payload, std::string& answer) {
  if (!payload.empty()) {
    const auto* code = reinterpret_cast<const unsigned char*>(payload.data());
    if (payload.size() == 1 || !may_be_sent(read_big_endian(code, 2))) {
      return fail(CloseCode::protocol_error,
                  "a close code that there is not (RFC 6455 section 7.4)", answer);
    }
    // U+0000 is taken for an error, too: no matter, as the reason is read by nobody.
    if (!is_valid_utf8_string(payload.substr(2))) {
      return fail(CloseCode::invalid_text,
                  "a close reason that is no UTF-8 (RFC 6455 section 5.5.1)", answer);
    }
  }
  if (!close_sent_) append_frame(FrameOpcode::close, payload.substr(0, 2), answer);
  close_sent_ = true;
  return State::ended;
}

State WebSocketFrames::fail(CloseCode code, const char* what, std::string& answer) {
  failure_ = what;
  if (!close_sent_) append_close(code, answer);
  close_sent_ = true;
  return State::failed;
}

}  // namespace hub::broker
