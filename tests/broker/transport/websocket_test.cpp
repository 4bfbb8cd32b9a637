// The server's end of a WebSocket against RFC 6455 and section 6 of MQTT 5.0. Each input is fed as
// a whole and byte by byte, which must come to the same.
#include "broker/transport/websocket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/support/websocket_client_codec.h"

namespace hub::broker {
namespace {

using std::string_literals::operator""s;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using websocket::client::close_payload;
using websocket::client::encode;
using websocket::client::Frame;
using websocket::client::Opcode;
using websocket::client::Request;

struct Outcome {
  Filter::State state = Filter::State::open;
  std::string received;
  std::string answer;
  std::string failure;
  bool is_established = false;

  bool operator==(const Outcome&) const = default;
};

// In pieces of `most` bytes.
Outcome feed(Filter& filter, std::string_view bytes, std::size_t most) {
  Outcome outcome;
  while (outcome.state == Filter::State::open && !bytes.empty()) {
    // In a buffer of its own, so that the address sanitizer sees one byte too many.
    const std::string piece{bytes.substr(0, most)};
    outcome.state = filter.receive(piece, outcome.received, outcome.answer);
    bytes.remove_prefix(piece.size());
  }
  if (outcome.state == Filter::State::failed) outcome.failure = filter.failure();
  outcome.is_established = filter.is_established();
  return outcome;
}

// What becomes of all that a client sends.
Outcome outcome_of(std::string_view bytes, const WebSocketOptions& options = {}) {
  const auto outcome = feed(*make_websocket(options), bytes, bytes.size());
  EXPECT_EQ(feed(*make_websocket(options), bytes, 1), outcome) << "differs byte by byte";
  EXPECT_EQ(feed(*make_websocket(options), bytes, 3), outcome) << "differs in threes";
  return outcome;
}

Outcome outcome_of(const Request& request, const WebSocketOptions& options = {}) {
  return outcome_of(request.text(), options);
}

// What becomes of frames; the answer is without that of the handshake.
Outcome outcome_of(const std::vector<Frame>& frames, const WebSocketOptions& options = {}) {
  std::string bytes = Request{}.text();
  const std::size_t handshake_bytes = outcome_of(bytes, options).answer.size();
  for (const Frame& frame : frames) bytes += encode(frame);
  auto outcome = outcome_of(bytes, options);
  outcome.answer.erase(0, handshake_bytes);
  return outcome;
}

std::string server_frame(Opcode opcode, std::string_view payload) {
  return encode({.opcode = opcode, .payload = std::string{payload}, .mask = std::nullopt});
}

std::string server_close(std::uint16_t code) {
  return server_frame(Opcode::close, close_payload(code));
}

// After the handshake.
std::unique_ptr<Filter> open_websocket(const WebSocketOptions& options) {
  auto filter = make_websocket(options);
  EXPECT_TRUE(feed(*filter, Request{}.text(), 4096).is_established);
  return filter;
}

void expect_refused(const Outcome& outcome, std::string_view status, std::string_view failure) {
  EXPECT_EQ(outcome.state, Filter::State::failed);
  EXPECT_FALSE(outcome.is_established);
  EXPECT_THAT(outcome.answer, StartsWith("HTTP/1.1 " + std::string{status} + "\r\n"));
  EXPECT_THAT(outcome.answer, HasSubstr("\r\nConnection: close\r\n"));
  const std::size_t end = outcome.answer.find("\r\n\r\n");
  ASSERT_NE(end, std::string::npos);
  const std::string body_bytes = std::to_string(outcome.answer.size() - end - 4);
  EXPECT_THAT(outcome.answer, HasSubstr("\r\nContent-Length: " + body_bytes + "\r\n"));
  EXPECT_THAT(outcome.failure, HasSubstr(failure));
  EXPECT_EQ(outcome.received, "");
}

void expect_failed(const Outcome& outcome, std::uint16_t code, std::string_view failure) {
  EXPECT_EQ(outcome.state, Filter::State::failed);
  EXPECT_EQ(outcome.answer, server_close(code));
  EXPECT_THAT(outcome.failure, HasSubstr(failure));
}

// --- The handshake

TEST(WebSocketHandshake, AnswersTheExampleOfTheStandard) {  // RFC 6455 section 1.3
  const auto outcome = outcome_of(
      "GET /chat HTTP/1.1\r\n"
      "Host: server.example.com\r\n"
      "Upgrade: websocket\r\n"
      "Connection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Origin: http://example.com\r\n"
      "Sec-WebSocket-Protocol: mqtt, superchat\r\n"
      "Sec-WebSocket-Version: 13\r\n"
      "\r\n",
      {.paths = {"/chat"}});
  EXPECT_EQ(outcome.state, Filter::State::open);
  EXPECT_TRUE(outcome.is_established);
  EXPECT_EQ(outcome.answer,
            "HTTP/1.1 101 Switching Protocols\r\n"
            "Upgrade: websocket\r\n"
            "Connection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
            "Sec-WebSocket-Protocol: mqtt\r\n"
            "\r\n");
}

TEST(WebSocketHandshake, IsNotDoneBeforeTheLastByte) {
  const auto text = Request{}.text();
  for (std::size_t bytes = 0; bytes < text.size(); ++bytes) {
    const WebSocketOptions options;
    const auto filter = make_websocket(options);
    const auto outcome = feed(*filter, text.substr(0, bytes), 4096);
    EXPECT_EQ(outcome.state, Filter::State::open);
    EXPECT_FALSE(outcome.is_established);
    EXPECT_EQ(outcome.answer, "");
  }
}

TEST(WebSocketHandshake, TakesWhatBrowsersAndProxiesWrite) {
  for (const Request& request : {
           Request{}.set("Connection", "keep-alive, Upgrade"),
           Request{}.set("Connection", "keep-alive").add("Connection", "UPGRADE"),
           Request{}.set("Upgrade", "WebSocket"),
           Request{}.set("Upgrade", "HTTP/2.0 ,websocket"),
           Request{}.set("Origin", "null"),
           Request{}.line("GET /mqtt?token=1 HTTP/1.1"),
           Request{}.line("GET http://hub.example/mqtt HTTP/1.1"),
           Request{}.set("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
           Request{}.set("Content-Length", "0"),
       }) {
    const auto outcome = outcome_of(request);
    EXPECT_TRUE(outcome.is_established) << request.text() << outcome.failure;
    EXPECT_THAT(outcome.answer, Not(HasSubstr("Extensions"))) << "none is spoken";
    EXPECT_LE(outcome.answer.size(), kMaxWebSocketAnswer);
  }
}

TEST(WebSocketHandshake, ReadsTheRestAsFrames) {
  const auto outcome = outcome_of({{.payload = "abc"}, {.opcode = Opcode::ping}});
  EXPECT_EQ(outcome.received, "abc");
  EXPECT_EQ(outcome.answer, server_frame(Opcode::pong, ""));
}

TEST(WebSocketHandshake, RefusesWhatIsNotHttp) {
  expect_refused(outcome_of("\x10\x0c\x00\x04MQTT\x05\x02\x00\x3c\x00\x00"s), "400 Bad Request",
                 "not HTTP: is it MQTT or TLS");
  expect_refused(outcome_of("\x16\x03\x01"s), "400 Bad Request", "not HTTP");
  expect_refused(outcome_of("get / HTTP/1.1\r\n\r\n"), "400 Bad Request", "not HTTP");
  expect_refused(outcome_of("GET\r\n\r\n"), "400 Bad Request", "not a request");
  expect_refused(outcome_of(Request{}.line("GET /mqtt HTTP/2.0")), "400 Bad Request",
                 "bad version");
  expect_refused(outcome_of(Request{}.line("GET /mqtt HTTP/1.0")), "400 Bad Request", "older");
  expect_refused(outcome_of(Request{}.add("a b", "c")), "400 Bad Request", "bad field");
}

TEST(WebSocketHandshake, RefusesOtherMethods) {
  const auto outcome = outcome_of(Request{}.line("POST /mqtt HTTP/1.1"));
  expect_refused(outcome, "405 Method Not Allowed", "POST");
  EXPECT_THAT(outcome.answer, HasSubstr("\r\nAllow: GET\r\n"));
}

TEST(WebSocketHandshake, RefusesABody) {
  expect_refused(outcome_of(Request{}.add("Content-Length", "1")), "400 Bad Request", "body");
  expect_refused(outcome_of(Request{}.add("Transfer-Encoding", "chunked")), "400 Bad Request",
                 "body");
  expect_refused(outcome_of(Request{}.add("Transfer-Encoding", "gzip")), "400 Bad Request", "body");
  expect_refused(outcome_of(Request{}.add("Content-Length", "99999999999")), "400 Bad Request",
                 "body");
}

TEST(WebSocketHandshake, DemandsOneHost) {
  expect_refused(outcome_of(Request{}.remove("Host")), "400 Bad Request", "Host");
  expect_refused(outcome_of(Request{}.add("Host", "other")), "400 Bad Request", "Host");
}

TEST(WebSocketHandshake, BoundsTheHeader) {
  WebSocketOptions options;
  options.max_header_bytes = Request{}.text().size();
  EXPECT_TRUE(outcome_of(Request{}, options).is_established);
  --options.max_header_bytes;
  expect_refused(outcome_of(Request{}, options), "431 Request Header Fields Too Large", "too long");
  expect_refused(outcome_of("GET /" + std::string(9'000, 'x')),
                 "431 Request Header Fields Too Large", "too long");
}

TEST(WebSocketHandshake, BoundsTheHeaderWhateverTheOptionsSay) {
  const WebSocketOptions options{.max_header_bytes = 1'000'000};
  expect_refused(feed(*make_websocket(options),
                      "GET /mqtt HTTP/1.1\r\na: " + std::string(70'000, 'x'), 10'000),
                 "431 Request Header Fields Too Large", "too long");
}

TEST(WebSocketHandshake, ServesItsPathsOnly) {
  expect_refused(outcome_of(Request{}.line("GET / HTTP/1.1")), "404 Not Found", "path: /");
  expect_refused(outcome_of(Request{}.line("GET /mqtt/ HTTP/1.1")), "404 Not Found", "/mqtt/");
  expect_refused(outcome_of(Request{}.line("GET http://hub.example HTTP/1.1")), "404 Not Found",
                 "path");
  const WebSocketOptions two{.paths = {"/a", "/b"}};
  EXPECT_TRUE(outcome_of(Request{}.line("GET /b HTTP/1.1"), two).is_established);
  expect_refused(outcome_of(Request{}, two), "404 Not Found", "/mqtt");
  const WebSocketOptions any{.paths = {}};
  EXPECT_TRUE(outcome_of(Request{}.line("GET /whatever HTTP/1.1"), any).is_established);
}

// What stands behind a '?' may be a secret.
TEST(WebSocketHandshake, LogsNoQuery) {
  const auto outcome = outcome_of(Request{}.line("GET /x?token=secret HTTP/1.1"));
  expect_refused(outcome, "404 Not Found", "/x");
  EXPECT_THAT(outcome.failure, Not(HasSubstr("secret")));
}

TEST(WebSocketHandshake, DemandsTheUpgrade) {
  for (const Request& request :
       {Request{}.remove("Upgrade"), Request{}.set("Upgrade", "h2c"),
        Request{}.remove("Connection"), Request{}.set("Connection", "keep-alive")}) {
    const auto outcome = outcome_of(request);
    expect_refused(outcome, "426 Upgrade Required", "no Upgrade");
    EXPECT_THAT(outcome.answer, HasSubstr("\r\nUpgrade: websocket\r\n"));
  }
}

TEST(WebSocketHandshake, SpeaksVersion13Only) {  // RFC 6455 section 4.4
  for (const Request& request :
       {Request{}.set("Sec-WebSocket-Version", "8"), Request{}.remove("Sec-WebSocket-Version"),
        Request{}.add("Sec-WebSocket-Version", "13")}) {
    const auto outcome = outcome_of(request);
    expect_refused(outcome, "426 Upgrade Required", "Sec-WebSocket-Version");
    EXPECT_THAT(outcome.answer, HasSubstr("\r\nSec-WebSocket-Version: 13\r\n"));
  }
}

TEST(WebSocketHandshake, DemandsAKeyOf16Bytes) {
  for (const char* key : {"", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZXg=",
                          "dGhlIHNhbXBsZSBub25j****==", "dGhlIHNhbXBsZSBub25jZQ== x"}) {
    expect_refused(outcome_of(Request{}.set("Sec-WebSocket-Key", key)), "400 Bad Request",
                   "Sec-WebSocket-Key");
  }
  expect_refused(outcome_of(Request{}.remove("Sec-WebSocket-Key")), "400 Bad Request", "Key");
  expect_refused(outcome_of(Request{}.add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")),
                 "400 Bad Request", "Key");
}

TEST(WebSocketHandshake, LetsInPagesOfAllowedOriginsOnly) {
  const WebSocketOptions options{.origins = {"https://console.example", "http://localhost:3000"}};
  const auto from = [](std::string_view origin) { return Request{}.set("Origin", origin); };
  EXPECT_TRUE(outcome_of(from("http://localhost:3000"), options).is_established);
  EXPECT_TRUE(outcome_of(from("https://Console.example"), options).is_established);
  EXPECT_TRUE(outcome_of(Request{}, options).is_established) << "no browser";
  EXPECT_TRUE(outcome_of(from("https://evil.example")).is_established) << "no list";
  expect_refused(outcome_of(from("https://evil.example"), options), "403 Forbidden",
                 "Origin that is not allowed: https://evil.example");
  expect_refused(outcome_of(from("https://console.example.evil.example"), options), "403 Forbidden",
                 "Origin");
  expect_refused(outcome_of(from("http://localhost:3000").add("Origin", "http://b"), options),
                 "403 Forbidden", "Origin");
  expect_refused(outcome_of(from(""), options), "403 Forbidden", "Origin");
}

TEST(WebSocketHandshake, SpeaksMqttOnly) {  // [MQTT-6.0.0-3], [MQTT-6.0.0-4]
  const auto offer = [](std::string_view list) {
    return outcome_of(Request{}.set("Sec-WebSocket-Protocol", list)).answer;
  };
  EXPECT_THAT(offer("mqtt"), HasSubstr("\r\nSec-WebSocket-Protocol: mqtt\r\n"));
  EXPECT_THAT(offer("mqttv3.1"), HasSubstr("\r\nSec-WebSocket-Protocol: mqttv3.1\r\n"));
  EXPECT_THAT(offer("mqttv3.1,mqtt"), HasSubstr("\r\nSec-WebSocket-Protocol: mqtt\r\n"));
  EXPECT_THAT(offer("amqp , mqtt"), HasSubstr("\r\nSec-WebSocket-Protocol: mqtt\r\n"));
  EXPECT_TRUE(
      outcome_of(
          Request{}.set("Sec-WebSocket-Protocol", "amqp").add("Sec-WebSocket-Protocol", "mqtt"))
          .is_established);
  for (const char* list : {"", "amqp", "MQTT", "mqtt2", "mqtt v", ",,"}) {
    expect_refused(outcome_of(Request{}.set("Sec-WebSocket-Protocol", list)), "400 Bad Request",
                   "[MQTT-6.0.0-3]");
  }
  expect_refused(outcome_of(Request{}.remove("Sec-WebSocket-Protocol")), "400 Bad Request",
                 "[MQTT-6.0.0-3]");
}

TEST(WebSocketHandshake, TellsTheClientsBytesEscapedAndShortened) {
  const WebSocketOptions options{.origins = {"https://console.example"}};
  const auto outcome =
      outcome_of(Request{}.set("Origin", "a\tb" + std::string(5'000, 'x')), options);
  expect_refused(outcome, "403 Forbidden", "a\\tbxxx");
  EXPECT_LT(outcome.failure.size(), 300u);
  EXPECT_LE(outcome.answer.size(), kMaxWebSocketAnswer);
  EXPECT_THAT(outcome.answer, Not(HasSubstr("xxx")));
}

// --- Frames of data

TEST(WebSocketFrames, UnmasksTheExampleOfTheStandard) {  // RFC 6455 section 5.7
  const auto outcome =
      outcome_of(Request{}.text() + "\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"s);
  EXPECT_EQ(outcome.state, Filter::State::open);
  EXPECT_EQ(outcome.received, "Hello");
}

TEST(WebSocketFrames, TakesPayloadsOfEveryLength) {
  for (const std::size_t bytes : {0, 1, 7, 8, 9, 125, 126, 127, 65'535, 65'536, 70'001}) {
    std::string payload;
    for (std::size_t i = 0; i < bytes; ++i) payload += static_cast<char>(i * 7 + i / 256);
    const auto outcome = outcome_of({{.payload = payload}, {.payload = "z"}});
    EXPECT_EQ(outcome.state, Filter::State::open) << bytes;
    EXPECT_TRUE(outcome.received == payload + "z") << bytes;
    EXPECT_EQ(outcome.answer, "");
  }
}

// Wherever a payload is torn, the mask goes on with the right byte.
TEST(WebSocketFrames, UnmaskAcrossAnyTwoTears) {
  const std::string payload = "abcdefghijklmnopqrstuvwxyz";
  const std::string frame = encode({.payload = payload});
  const WebSocketOptions options;
  for (std::size_t first = 0; first <= frame.size(); ++first) {
    for (std::size_t second = first; second <= frame.size(); ++second) {
      const auto filter = open_websocket(options);
      std::string received;
      std::string answer;
      filter->receive(frame.substr(0, first), received, answer);
      filter->receive(frame.substr(first, second - first), received, answer);
      filter->receive(frame.substr(second), received, answer);
      ASSERT_EQ(received, payload) << first << " " << second;
    }
  }
}

TEST(WebSocketFrames, GivePayloadsOnBeforeTheyAreWhole) {
  const WebSocketOptions options;
  const auto filter = open_websocket(options);
  const std::string frame = encode({.payload = std::string(1'000, 'a')});
  EXPECT_EQ(feed(*filter, frame.substr(0, 500), 500).received.size(), 492u);
}

TEST(WebSocketFrames, PutMessagesTogether) {  // RFC 6455 section 5.4
  const auto outcome = outcome_of({{.payload = "ab", .is_final = false},
                                   {.opcode = Opcode::continuation, .is_final = false},
                                   {.opcode = Opcode::continuation, .payload = "cd"},
                                   {.payload = "ef"}});
  EXPECT_EQ(outcome.state, Filter::State::open);
  EXPECT_EQ(outcome.received, "abcdef");
}

TEST(WebSocketFrames, AnswerControlFramesWithinAMessage) {
  const auto outcome = outcome_of({{.payload = "ab", .is_final = false},
                                   {.opcode = Opcode::ping, .payload = "1"},
                                   {.opcode = Opcode::pong, .payload = "ignored"},
                                   {.opcode = Opcode::continuation, .payload = "cd"},
                                   {.opcode = Opcode::ping, .payload = std::string(125, '2')}});
  EXPECT_EQ(outcome.received, "abcd");
  EXPECT_EQ(outcome.answer,
            server_frame(Opcode::pong, "1") + server_frame(Opcode::pong, std::string(125, '2')));
}

TEST(WebSocketFrames, RefuseText) {  // [MQTT-6.0.0-1]
  const auto outcome = outcome_of({{.payload = "ok"}, {.opcode = Opcode::text, .payload = "no"}});
  expect_failed(outcome, 1003, "[MQTT-6.0.0-1]");
  EXPECT_EQ(outcome.received, "ok") << "what came before it counts";
}

TEST(WebSocketFrames, DemandAMask) {  // RFC 6455 section 5.1
  expect_failed(outcome_of({{.payload = "a", .mask = std::nullopt}}), 1002, "mask");
  expect_failed(outcome_of({{.opcode = Opcode::ping, .mask = std::nullopt}}), 1002, "mask");
}

TEST(WebSocketFrames, RefuseReservedBitsAndUnknownKinds) {  // RFC 6455 section 5.2
  for (const std::uint8_t bits : {1, 2, 4, 7}) {
    expect_failed(outcome_of({{.reserved_bits = bits}}), 1002, "reserved bits");
  }
  for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    expect_failed(outcome_of({{.opcode = static_cast<Opcode>(opcode)}}), 1002, "unknown kind");
  }
}

TEST(WebSocketFrames, RefuseTornAndLongControlFrames) {  // RFC 6455 section 5.5
  for (const Opcode opcode : {Opcode::close, Opcode::ping, Opcode::pong}) {
    expect_failed(outcome_of({{.opcode = opcode, .is_final = false}}), 1002, "in fragments");
    expect_failed(outcome_of({{.opcode = opcode, .payload = std::string(126, 'a')}}), 1002,
                  "too long");
    expect_failed(outcome_of({{.opcode = opcode, .length_bytes = 8, .length = 1}}), 1002,
                  "too long");
  }
}

TEST(WebSocketFrames, RefuseFragmentsOutOfPlace) {  // RFC 6455 section 5.4
  expect_failed(outcome_of({{.opcode = Opcode::continuation}}), 1002, "continuation");
  expect_failed(outcome_of({{}, {.opcode = Opcode::continuation}}), 1002, "continuation");
  expect_failed(outcome_of({{.is_final = false}, {.payload = "a"}}), 1002, "within a message");
  expect_failed(outcome_of({{.is_final = false}, {.opcode = Opcode::text}}), 1003, "text");
}

TEST(WebSocketFrames, DemandTheShortestLength) {  // RFC 6455 section 5.2
  expect_failed(outcome_of({{.length_bytes = 2, .length = 125}}), 1002, "shortest form");
  expect_failed(outcome_of({{.length_bytes = 8, .length = 125}}), 1002, "shortest form");
  expect_failed(outcome_of({{.length_bytes = 8, .length = 65'535}}), 1002, "shortest form");
}

TEST(WebSocketFrames, BoundTheLength) {
  const WebSocketOptions options{.max_frame_bytes = 200};
  EXPECT_EQ(outcome_of({{.payload = std::string(200, 'a')}}, options).state, Filter::State::open);
  expect_failed(outcome_of({{.length = 201}}, options), 1009, "too long");
  expect_failed(outcome_of({{.length = WebSocketOptions{}.max_frame_bytes + 1}}), 1009, "too long");
  expect_failed(outcome_of({{.length = std::uint64_t{1} << 62}}), 1009, "too long");
  expect_failed(outcome_of({{.length = std::uint64_t{1} << 63}}), 1002, "64 bits");
  EXPECT_EQ(outcome_of({{.length = WebSocketOptions{}.max_frame_bytes}}).state,
            Filter::State::open);
}

TEST(WebSocketFrames, LookAtNothingBehindAnError) {
  const auto outcome =
      outcome_of({{.opcode = Opcode::text}, {.payload = "a"}, {.opcode = Opcode::ping}});
  expect_failed(outcome, 1003, "text");
  EXPECT_EQ(outcome.received, "");
}

// --- Closing

TEST(WebSocketClose, IsAnsweredWithItsCode) {  // RFC 6455 section 5.5.1
  for (const std::uint16_t code : {1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999}) {
    const auto outcome = outcome_of({{.payload = "a"},
                                     {.opcode = Opcode::close, .payload = close_payload(code, "é")},
                                     {.payload = "b"}});
    EXPECT_EQ(outcome.state, Filter::State::ended);
    EXPECT_EQ(outcome.received, "a") << "nothing comes after it";
    EXPECT_EQ(outcome.answer, server_close(code));
  }
  const auto without_code = outcome_of({{.opcode = Opcode::close}});
  EXPECT_EQ(without_code.state, Filter::State::ended);
  EXPECT_EQ(without_code.answer, server_frame(Opcode::close, ""));
}

TEST(WebSocketClose, IsAProtocolErrorWithACodeThatThereIsNot) {  // RFC 6455 section 7.4
  for (const std::uint16_t code : {0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535}) {
    expect_failed(outcome_of({{.opcode = Opcode::close, .payload = close_payload(code)}}), 1002,
                  "close code");
  }
  expect_failed(outcome_of({{.opcode = Opcode::close, .payload = "\x03"}}), 1002, "close code");
}

TEST(WebSocketClose, NeedsAReasonInUtf8) {  // RFC 6455 section 8.1
  expect_failed(outcome_of({{.opcode = Opcode::close, .payload = close_payload(1000, "\xff")}}),
                1007, "UTF-8");
}

TEST(WebSocketClose, EndsWhatIsSent) {
  const WebSocketOptions options;
  const auto filter = open_websocket(options);
  std::string out;
  filter->end(out);
  EXPECT_EQ(out, server_close(1000));
  filter->send("late", out);
  filter->end(out);
  EXPECT_EQ(out, server_close(1000));

  const auto outcome =
      feed(*filter, encode({.payload = "a"}) + encode({.opcode = Opcode::ping}), 4096);
  EXPECT_EQ(outcome.state, Filter::State::open) << "the other end may still send";
  EXPECT_EQ(outcome.received, "a");
  EXPECT_EQ(outcome.answer, "");
  const auto closed =
      feed(*filter, encode({.opcode = Opcode::close, .payload = close_payload(1000)}), 4096);
  EXPECT_EQ(closed.state, Filter::State::ended);
  EXPECT_EQ(closed.answer, "");
}

TEST(WebSocketClose, IsSentOnce) {
  const WebSocketOptions options;
  for (const Frame& last : {Frame{.opcode = Opcode::text}, Frame{.opcode = Opcode::close}}) {
    const auto filter = open_websocket(options);
    EXPECT_NE(feed(*filter, encode(last), 4096).state, Filter::State::open);
    std::string out;
    filter->send("late", out);
    filter->end(out);
    EXPECT_EQ(out, "");
  }
  const auto filter = open_websocket(options);
  std::string out;
  filter->end(out);
  EXPECT_EQ(feed(*filter, encode({.opcode = Opcode::text}), 4096).answer, "");
}

TEST(WebSocketClose, IsNotSentBeforeTheHandshakeIsDone) {
  const WebSocketOptions options;
  std::string out;
  make_websocket(options)->end(out);
  const auto refused = make_websocket(options);
  (void)feed(*refused, "x", 1);
  refused->end(out);
  EXPECT_EQ(out, "");
}

// --- What is sent

TEST(WebSocketSend, MakesABinaryFrameOfEachCall) {
  const WebSocketOptions options;
  const auto filter = open_websocket(options);
  std::string out = "before";
  filter->send("ab", out);
  filter->send("", out);
  filter->send("cde", out);
  EXPECT_EQ(out,
            "before\x82\x02"
            "ab\x82\x03"
            "cde");
}

TEST(WebSocketSend, WritesTheShortestLength) {
  const WebSocketOptions options;
  const auto filter = open_websocket(options);
  for (const std::size_t bytes : {1, 125, 126, 65'535, 65'536, 1'000'000}) {
    const std::string payload(bytes, 'x');
    std::string out;
    filter->send(payload, out);
    const auto frames = websocket::client::decode_frames(out);
    ASSERT_TRUE(frames.has_value()) << bytes;
    ASSERT_EQ(frames->size(), 1u);
    EXPECT_EQ(frames->front().opcode, Opcode::binary);
    EXPECT_TRUE(frames->front().is_final);
    EXPECT_TRUE(frames->front().payload == payload);
  }
}

}  // namespace
}  // namespace hub::broker
