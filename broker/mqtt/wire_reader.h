#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/topic.h"
#include "broker/mqtt/decode_error.h"

namespace hub::mqtt {

// Reads the data types of MQTT 5.0 section 1.5 off the front of a packet's body.
//
// Borrows the body. The first failure sticks: from then on nothing is left to read, each read
// yields zero or empty, and error() tells the first failure. So a decoder reads a run of fields
// and asks failed() once, before it acts on what it read.
class WireReader {
 public:
  explicit WireReader(std::string_view body)
      : begin_(reinterpret_cast<const unsigned char*>(body.data())),
        at_(begin_),
        end_(begin_ + body.size()) {}

  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  [[nodiscard]] std::size_t offset() const { return static_cast<std::size_t>(at_ - begin_); }
  [[nodiscard]] bool failed() const { return error_.what != nullptr; }
  [[nodiscard]] const DecodeError& error() const { return error_; }

  void fail(ReasonCode reason, const char* what) { fail_at(reason, what, offset()); }
  void fail_at(ReasonCode reason, const char* what, std::size_t offset) {
    if (!failed()) error_ = {reason, offset, what};
    at_ = end_;
  }

  std::uint8_t u8() {
    if (left() < 1) return too_short();
    return *at_++;
  }
  std::uint16_t u16() {
    if (left() < 2) return too_short();
    const auto value = static_cast<std::uint16_t>(at_[0] << 8 | at_[1]);
    at_ += 2;
    return value;
  }
  std::uint32_t u32() {
    if (left() < 4) return too_short();
    const std::uint32_t value = std::uint32_t{at_[0]} << 24 | std::uint32_t{at_[1]} << 16 |
                                std::uint32_t{at_[2]} << 8 | std::uint32_t{at_[3]};
    at_ += 4;
    return value;
  }

  // Variable Byte Integer (section 1.5.5).
  std::uint32_t varint() {
    std::uint32_t value = 0;
    for (int shift = 0; shift <= 21; shift += 7) {
      if (left() == 0) return too_short();
      const unsigned byte = *at_++;
      value |= std::uint32_t{byte & 0x7F} << shift;
      if ((byte & 0x80) == 0) {
        if (byte == 0 && shift > 0) {
          fail(ReasonCode::malformed_packet, "integer not in its shortest form [MQTT-1.5.5-1]");
          return 0;
        }
        return value;
      }
    }
    fail(ReasonCode::malformed_packet, "integer longer than four bytes (section 1.5.5)");
    return 0;
  }

  // Takes one byte if that is 0x00: a length that says that nothing follows.
  bool skip_zero() {
    if (left() == 0 || *at_ != 0) return false;
    ++at_;
    return true;
  }

  // Binary Data (section 1.5.6).
  std::string_view binary() {
    const std::uint16_t bytes = u16();
    return take(bytes);
  }
  std::string_view take(std::size_t bytes) {
    if (left() < bytes) {
      too_short();
      return {};
    }
    const std::string_view taken{reinterpret_cast<const char*>(at_), bytes};
    at_ += bytes;
    return taken;
  }
  std::string_view rest() { return take(left()); }

  // UTF-8 Encoded String (section 1.5.4).
  std::string_view utf8() {
    const std::size_t start = offset();
    const std::string_view text = binary();
    if (!is_valid_utf8_string(text)) [[unlikely]] {
      fail_at(ReasonCode::malformed_packet, "ill-formed UTF-8 or U+0000 [MQTT-1.5.4-1]", start);
      return {};
    }
    return text;
  }

  void expect_end() {
    if (left() != 0) fail(ReasonCode::malformed_packet, "bytes left over after the last field");
  }

 private:
  std::uint8_t too_short() {
    fail(ReasonCode::malformed_packet, "a field runs past the end of the packet");
    return 0;
  }

  const unsigned char* begin_;
  const unsigned char* at_;
  const unsigned char* end_;
  DecodeError error_{ReasonCode::success, 0, nullptr};
};

}  // namespace hub::mqtt
