#include "tests/support/websocket_client_codec.h"

#include <algorithm>

namespace hub::websocket::client {
namespace {

void append_number(std::uint64_t value, std::size_t bytes, std::string& out) {
  while (bytes-- > 0) out += static_cast<char>(value >> (8 * bytes) & 0xFF);
}

std::size_t shortest_length_bytes(std::uint64_t length) {
  return length < 126 ? 1 : length < 65'536 ? 2 : 8;
}

}  // namespace

Request& Request::line(std::string_view request_line) {
  line_ = request_line;
  return *this;
}

Request& Request::set(std::string_view name, std::string_view value) {
  return remove(name).add(name, value);
}

Request& Request::add(std::string_view name, std::string_view value) {
  fields_.emplace_back(name, value);
  return *this;
}

Request& Request::remove(std::string_view name) {
  std::erase_if(fields_, [name](const auto& field) { return field.first == name; });
  return *this;
}

std::string Request::text() const {
  std::string text = line_ + "\r\n";
  for (const auto& [name, value] : fields_) text += name + ": " + value + "\r\n";
  return text + "\r\n";
}

std::string encode(const Frame& frame) {
  const std::uint64_t length = frame.length.value_or(frame.payload.size());
  const std::size_t length_bytes =
      frame.length_bytes != 0 ? frame.length_bytes : shortest_length_bytes(length);
  std::string out;
  out += static_cast<char>((frame.is_final ? 0x80 : 0) | frame.reserved_bits << 4 |
                           static_cast<int>(frame.opcode));
  const std::uint64_t first = length_bytes == 1 ? length : length_bytes == 2 ? 126 : 127;
  out += static_cast<char>((frame.mask ? 0x80 : 0) | static_cast<int>(first));
  if (length_bytes > 1) append_number(length, length_bytes, out);
  if (frame.mask) out.append(frame.mask->data(), frame.mask->size());
  for (std::size_t i = 0; i < frame.payload.size(); ++i) {
    out += static_cast<char>(frame.payload[i] ^ (frame.mask ? (*frame.mask)[i % 4] : 0));
  }
  return out;
}

std::optional<std::vector<Frame>> decode_frames(std::string_view bytes) {
  std::vector<Frame> frames;
  while (!bytes.empty()) {
    if (bytes.size() < 2) return {};
    const auto first = static_cast<unsigned char>(bytes[0]);
    std::uint64_t length = static_cast<unsigned char>(bytes[1]);
    const std::size_t length_bytes = length < 126 ? 1 : length == 126 ? 2 : 8;
    if ((first & 0x70) != 0 || length > 127) return {};
    bytes.remove_prefix(2);
    if (length_bytes > 1) {
      if (bytes.size() < length_bytes) return {};
      length = 0;
      for (std::size_t i = 0; i < length_bytes; ++i) {
        length = length << 8 | static_cast<unsigned char>(bytes[i]);
      }
      bytes.remove_prefix(length_bytes);
    }
    if (length_bytes != shortest_length_bytes(length) || length > bytes.size()) return {};
    frames.push_back({.opcode = static_cast<Opcode>(first & 0x0F),
                      .payload = std::string{bytes.substr(0, length)},
                      .is_final = (first & 0x80) != 0,
                      .mask = std::nullopt});
    bytes.remove_prefix(length);
  }
  return frames;
}

std::string close_payload(std::uint16_t code, std::string_view reason) {
  std::string payload;
  append_number(code, 2, payload);
  payload += reason;
  return payload;
}

}  // namespace hub::websocket::client
