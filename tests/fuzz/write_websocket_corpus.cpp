// Writes requests and frames as inputs of websocket_fuzzer into the directory that it is given:
// tests/fuzz/corpus/websocket, after there is something new to be found.

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>

#include "tests/support/websocket_client_codec.h"

namespace hub::websocket::client {
namespace {

// What stands before the bytes; see websocket_fuzzer.cpp.
enum class Before : char { nothing = 0, handshake = 1, close = 3 };

class Writer {
 public:
  explicit Writer(std::filesystem::path directory) : directory_(std::move(directory)) {}

  void write(std::string_view name, Before before, std::string_view bytes) {
    std::ofstream file{directory_ / name, std::ios::binary};
    file << static_cast<char>(before) << '\x07' << bytes;
    all_written_ = all_written_ && file.flush();
  }
  void write(std::string_view name, const Request& request) {
    write(name, Before::nothing, request.text());
  }
  [[nodiscard]] bool all_written() const { return all_written_; }

 private:
  std::filesystem::path directory_;
  bool all_written_ = true;
};

void write_requests(Writer& writer) {
  writer.write("request", Request{});
  writer.write("request_and_frame", Before::nothing,
               Request{}.text() + encode({.payload = "a"}) + encode({.opcode = Opcode::close}));
  writer.write("request_origin", Request{}.set("Origin", "http://a"));
  writer.write("request_origin_forbidden", Request{}.set("Origin", "http://b\t"));
  writer.write("request_proxy", Request{}
                                    .line("GET http://a/mqtt?b HTTP/1.1")
                                    .set("Connection", "keep-alive, Upgrade")
                                    .set("Sec-WebSocket-Protocol", "amqp ,mqttv3.1")
                                    .add("Sec-WebSocket-Protocol", "mqtt"));
  writer.write("request_no_upgrade", Request{}.remove("Upgrade"));
  writer.write("request_version_8", Request{}.set("Sec-WebSocket-Version", "8"));
  writer.write("request_short_key", Request{}.set("Sec-WebSocket-Key", "YQ=="));
  writer.write("request_no_protocol", Request{}.remove("Sec-WebSocket-Protocol"));
  writer.write("request_body", Request{}.add("Content-Length", "1"));
  writer.write("request_chunks", Request{}.add("Transfer-Encoding", "chunked"));
  writer.write("request_post", Request{}.line("POST /mqtt HTTP/1.1"));
  writer.write("request_other_path", Request{}.line("GET / HTTP/1.0"));
  writer.write("request_mqtt", Before::nothing, "\x10\x0c");
}

void write_frames(Writer& writer) {
  const auto frame = [&writer](std::string_view name, const Frame& content) {
    writer.write(name, Before::handshake, encode(content));
  };
  frame("frame_binary", {.payload = "some bytes"});
  frame("frame_text", {.opcode = Opcode::text, .payload = "text"});
  frame("frame_16_bits", {.payload = std::string(300, 'a')});
  frame("frame_64_bits", {.payload = "rest", .length = 70'000});
  frame("frame_too_long", {.length = std::uint64_t{1} << 40});
  frame("frame_top_bit", {.length = std::uint64_t{1} << 63});
  frame("frame_not_shortest", {.length_bytes = 8, .length = 1});
  frame("frame_no_mask", {.payload = "a", .mask = std::nullopt});
  frame("frame_reserved_bits", {.payload = "a", .reserved_bits = 4});
  frame("frame_unknown", {.opcode = static_cast<Opcode>(3)});
  frame("frame_continuation", {.opcode = Opcode::continuation});
  frame("frame_ping_torn", {.opcode = Opcode::ping, .is_final = false});
  frame("frame_ping_long", {.opcode = Opcode::ping, .payload = std::string(126, 'a')});
  frame("close", {.opcode = Opcode::close, .payload = close_payload(1000, "bye")});
  frame("close_empty", {.opcode = Opcode::close});
  frame("close_one_byte", {.opcode = Opcode::close, .payload = "\x03"});
  frame("close_code_1005", {.opcode = Opcode::close, .payload = close_payload(1005)});
  frame("close_not_utf8", {.opcode = Opcode::close, .payload = close_payload(1000, "\xff")});
  const std::string message =
      encode({.payload = "ab", .is_final = false}) +
      encode({.opcode = Opcode::ping, .payload = "ping"}) +
      encode({.opcode = Opcode::continuation, .payload = std::string(130, 'b')}) +
      encode({.opcode = Opcode::pong}) + encode({}) +
      encode({.opcode = Opcode::close, .payload = close_payload(1001)});
  writer.write("message", Before::handshake, message);
  writer.write("message_after_close", Before::close, message);
}

}  // namespace
}  // namespace hub::websocket::client

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_websocket_corpus DIRECTORY\n";
    return 2;
  }
  hub::websocket::client::Writer writer{argv[1]};
  hub::websocket::client::write_requests(writer);
  hub::websocket::client::write_frames(writer);
  if (writer.all_written()) return 0;
  std::cerr << "cannot write into " << argv[1] << '\n';
  return 1;
}
