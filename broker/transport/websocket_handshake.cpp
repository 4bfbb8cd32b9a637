#include "broker/transport/websocket_handshake.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <functional>
#include <iterator>
#include <optional>

#include "base/log.h"

namespace hub::broker {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;

using Request = http::request<http::empty_body>;
using http::field;

constexpr std::string_view kBadRequest = "400 Bad Request";
constexpr std::string_view kUpgradeRequired = "426 Upgrade Required";
// What a status 426 has to say: Upgrade for RFC 9110 section 15.5.22, the version for RFC 6455
// section 4.4.
constexpr std::string_view kUpgradeFields =
    "Connection: Upgrade\r\n"
    "Upgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\n";
constexpr std::size_t kMaxLoggedBytes = 200;
// Beast throws at a field of 64 KiB.
constexpr std::size_t kMostHeaderBytes = 60 * 1024;

struct Refusal {
  std::string_view status;    // as it ends the status line
  std::string_view why;       // for the client and the log
  std::string_view about{};   // for the log alone: the client's bytes that it is about
  std::string_view fields{};  // lines of the answer's header that belong to the status
};

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

bool equals_any_case(std::string_view a, std::string_view b) {
  return beast::iequals({a.data(), a.size()}, {b.data(), b.size()});
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// A field that may come once.
struct SingleField {
  std::size_t count = 0;
  std::string_view value;  // of the first
};

SingleField single(const Request& request, field name) {
  const auto [first, last] = request.equal_range(name);
  if (first == last) return {};
  return {static_cast<std::size_t>(std::distance(first, last)), view(first->value())};
}

// Whether a field that is a list, in one line or several, has an element for which it is `wanted`.
bool has_element(const Request& request, field name,
                 const std::function<bool(std::string_view)>& wanted) {
  const auto [first, last] = request.equal_range(name);
  for (auto line = first; line != last; ++line) {
    std::string_view rest = view(line->value());
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      if (wanted(trimmed(rest.substr(0, comma)))) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

bool contains(const std::vector<std::string>& texts, std::string_view text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

// Protocols and connection options are the same in capitals (RFC 6455 section 4.2.1).
bool has_token(const Request& request, field name, std::string_view token) {
  return has_element(request, name,
                     [token](std::string_view element) { return equals_any_case(element, token); });
}

// The name of a sub-protocol is the same in the same letters only (RFC 6455 section 11.5).
bool offers(const Request& request, std::string_view protocol) {
  return has_element(request, field::sec_websocket_protocol,
                     [protocol](std::string_view element) { return element == protocol; });
}

// The one to be spoken; empty: the client offers none that is spoken here. Who knows both gets the
// one that the standard demands [MQTT-6.0.0-4]; "mqttv3.1" is what clients said before there was
// one, and browsers among them hang up on an answer that they did not offer.
std::string_view choose_protocol(const Request& request) {
  for (const std::string_view protocol : {"mqtt", "mqttv3.1"}) {
    if (offers(request, protocol)) return protocol;
  }
  return {};
}

// Of "/mqtt?a=b", or of "http://host/mqtt?a=b", as a proxy may write it (RFC 9112 section 3.2.2).
std::string_view path_of(std::string_view target) {
  if (!target.starts_with('/')) {
    const std::size_t host = target.find("://");
    if (host == std::string_view::npos) return target;
    target.remove_prefix(std::min(target.find('/', host + 3), target.size()));
  }
  return target.substr(0, target.find('?'));
}

// Sixteen bytes in base64 (RFC 6455 section 4.1).
bool is_key(std::string_view text) {
  constexpr std::size_t kDigits = 22;
  const auto is_digit = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
  };
  return text.size() == kDigits + 2 && text.ends_with("==") &&
         std::all_of(text.begin(), text.begin() + kDigits, is_digit);
}

// Sec-WebSocket-Accept (RFC 6455 section 4.2.2).
std::string accept_value(std::string_view key) {
  const auto text = fmt::format("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  ::SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::array<unsigned char, 4 * ((SHA_DIGEST_LENGTH + 2) / 3) + 1> base64{};  // and a zero byte
  ::EVP_EncodeBlock(base64.data(), digest.data(), SHA_DIGEST_LENGTH);
  return {base64.begin(), base64.end() - 1};
}

std::optional<Refusal> check_http(const Request& request, bool has_body) {
  if (request.method() != http::verb::get) {
    return Refusal{"405 Method Not Allowed", "a method other than GET",
                   view(request.method_string()), "Allow: GET\r\n"};
  }
  if (request.version() < 11) return Refusal{kBadRequest, "HTTP older than 1.1"};
  if (has_body) return Refusal{kBadRequest, "a request with a body"};
  if (single(request, field::host).count != 1) return Refusal{kBadRequest, "not one Host"};
  return {};
}

std::optional<Refusal> check_path(const Request& request, const WebSocketOptions& options) {
  const std::string_view path = path_of(view(request.target()));
  if (options.paths.empty() || contains(options.paths, path)) return {};
  return Refusal{"404 Not Found", "no MQTT at this path", path};
}

std::optional<Refusal> check_upgrade(const Request& request) {
  if (!has_token(request, field::upgrade, "websocket")) {
    return Refusal{kUpgradeRequired, "no Upgrade to websocket", {}, kUpgradeFields};
  }
  if (!has_token(request, field::connection, "upgrade")) {
    return Refusal{kUpgradeRequired,
                   "no Upgrade in Connection: does a proxy take it out?",
                   {},
                   kUpgradeFields};
  }
  const SingleField version = single(request, field::sec_websocket_version);
  if (version.count != 1 || version.value != "13") {
    return Refusal{kUpgradeRequired, "a Sec-WebSocket-Version other than 13", version.value,
                   kUpgradeFields};
  }
  const SingleField key = single(request, field::sec_websocket_key);
  if (key.count != 1 || !is_key(key.value)) {
    return Refusal{kBadRequest, "a Sec-WebSocket-Key that is not 16 bytes in base64", key.value};
  }
  return {};
}

// A browser says from where its page comes; what is none need not (RFC 6455 section 10.2).
std::optional<Refusal> check_origin(const Request& request, const WebSocketOptions& options) {
  const SingleField origin = single(request, field::origin);
  if (options.origins.empty() || origin.count == 0) return {};
  const auto is_origin = [&](std::string_view allowed) {
    return equals_any_case(allowed, origin.value);
  };
  if (origin.count == 1 && std::any_of(options.origins.begin(), options.origins.end(), is_origin)) {
    return {};
  }
  return Refusal{"403 Forbidden", "an Origin that is not allowed", origin.value};
}

std::optional<Refusal> check_protocol(const Request& request) {
  if (!choose_protocol(request).empty()) return {};
  return Refusal{kBadRequest, "no \"mqtt\" in Sec-WebSocket-Protocol [MQTT-6.0.0-3]",
                 single(request, field::sec_websocket_protocol).value};
}

struct Verdict {
  std::string answer;
  std::string refusal;  // empty: accepted
};

Verdict refuse(const Refusal& refusal) {
  Verdict verdict;
  // The body ends in a line feed.
  verdict.answer = fmt::format(
      "HTTP/1.1 {}\r\n"
      "Connection: close\r\n"
      "{}"
      "Content-Type: text/plain\r\n"
      "Content-Length: {}\r\n"
      "\r\n"
      "{}\n",
      refusal.status, refusal.fields, refusal.why.size() + 1, refusal.why);
  verdict.refusal = refusal.why;
  if (!refusal.about.empty()) {
    verdict.refusal += ": ";
    verdict.refusal += log::escape_control_characters(refusal.about.substr(0, kMaxLoggedBytes));
  }
  return verdict;
}

Verdict accept(const Request& request) {
  return {fmt::format("HTTP/1.1 101 Switching Protocols\r\n"
                      "Upgrade: websocket\r\n"
                      "Connection: Upgrade\r\n"
                      "Sec-WebSocket-Accept: {}\r\n"
                      "Sec-WebSocket-Protocol: {}\r\n"
                      "\r\n",
                      accept_value(single(request, field::sec_websocket_key).value),
                      choose_protocol(request)),
          {}};
}

// `text`: a whole header, with its empty line.
Verdict judge(std::string_view text, const WebSocketOptions& options) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(text.size() + 1));
  beast::error_code error;
  parser.put(boost::asio::buffer(text), error);
  if (error || !parser.is_header_done()) {
    const std::string why = error.message();
    return refuse({kBadRequest, "not a request of HTTP/1.1", why});
  }
  const Request& request = parser.get();
  const bool has_body = parser.content_length().value_or(0) > 0 ||
                        request.find(field::transfer_encoding) != request.end();
  auto refusal = check_http(request, has_body);
  if (!refusal) refusal = check_path(request, options);
  if (!refusal) refusal = check_upgrade(request);
  if (!refusal) refusal = check_origin(request, options);
  if (!refusal) refusal = check_protocol(request);
  return refusal ? refuse(*refusal) : accept(request);
}

}  // namespace

WebSocketHandshake::WebSocketHandshake(const WebSocketOptions& options)
    : options_(options), max_bytes_(std::min(options.max_header_bytes, kMostHeaderBytes)) {}

WebSocketHandshake::State WebSocketHandshake::receive(std::string_view& bytes,
                                                      std::string& answer) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  const std::size_t before = request_.size();
  request_ += bytes.substr(0, max_bytes_ - before);
  const std::size_t end = request_.find(kEnd, before - std::min(before, kEnd.size() - 1));

  Verdict verdict;
  if (!request_.empty() && (request_[0] < 'A' || request_[0] > 'Z')) {
    verdict = refuse({kBadRequest, "not HTTP: is it MQTT or TLS without a WebSocket?"});
  } else if (end != std::string::npos) {
    request_.resize(end + kEnd.size());
    bytes.remove_prefix(request_.size() - before);
    verdict = judge(request_, options_);
  } else if (request_.size() >= max_bytes_) {
    verdict = refuse({"431 Request Header Fields Too Large", "a header that is too long"});
  } else {
    return State::unfinished;
  }
  answer += verdict.answer;
  refusal_ = std::move(verdict.refusal);
  return refusal_.empty() ? State::accepted : State::refused;
}

}  // namespace hub::broker
