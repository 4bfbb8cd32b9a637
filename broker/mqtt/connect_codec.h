#pragma once

#include <boost/system/result.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/message.h"
#include "broker/mqtt/decode_error.h"
#include "broker/mqtt/protocol.h"

namespace hub::mqtt {

// MQTT 5.0 section 3.1.2.5. Borrows from the body that it was decoded from.
struct WillView {
  std::string_view topic;  // a valid topic name
  std::string_view payload;
  Qos qos = Qos::at_most_once;
  bool retain = false;
  std::chrono::seconds delay{0};
  std::optional<std::uint32_t> message_expiry;  // seconds
  std::string_view properties;                  // as received: see append_forwarded_properties()
};

// One decoded CONNECT, of either version; what a version lacks has the value that means the same
// in the other. Borrows: every view points into the body it was decoded from.
struct ConnectView {
  ProtocolVersion version = ProtocolVersion::v311;
  bool clean_start = true;  // 3.1.1: Clean Session
  std::chrono::seconds keep_alive{0};
  std::string_view client_id;  // UTF-8; empty: the server assigns one
  std::optional<WillView> will;
  std::optional<std::string_view> username;  // UTF-8
  std::optional<std::string_view> password;  // any bytes

  // Seconds; 3.1.1: 0 with Clean Session, kNeverExpires without (MQTT 5.0 section 3.1.2.4).
  std::uint32_t session_expiry = 0;
  std::uint16_t receive_maximum = 65'535;
  std::uint32_t maximum_packet_size = 0xFFFF'FFFF;  // what the client accepts; the default: all
  std::uint16_t topic_alias_maximum = 0;
  bool request_response_information = false;
  bool request_problem_information = true;
  std::optional<std::string_view> authentication_method;
  std::string_view authentication_data;
};

// A DecodeError that also says how to answer, as the version may not be known.
struct ConnectError : DecodeError {
  enum class Answer : std::uint8_t {
    close,         // no CONNACK: not MQTT, or a malformed 3.1.1 CONNECT [MQTT-3.1.4-1]
    connack_v311,  // CONNACK in the form of 3.1.1, with connect_return_code(reason)
    connack_v5,    // CONNACK in the form of 5.0, with reason
  };
  Answer answer = Answer::close;
};

// Decodes the body of a CONNECT (section 3.1 of both standards).
//
// body: exactly Remaining Length bytes, and no byte outside it is read. Allocates nothing.
//
// A version that the hub does not speak fails with unsupported_protocol_version. It is answered in
// the form that such a client can read: MQTT 3.1 ("MQIsdp") and levels below 4 with return code 1
// (MQTT 3.1.1 [MQTT-3.1.2-2]; 3.1 has the same code), levels above 5 with 0x84 in the form of 5.0
// (MQTT 5.0 [MQTT-3.1.2-2]). Bit 7 of the level, by which a bridge announces itself to brokers
// that know it, is no part of either standard: refused in the form of the low seven bits, after
// which such bridges try again without it. Any other protocol name is closed without an answer.
//
// A 3.1.1 client that has neither an id nor Clean Session is refused with
// client_identifier_not_valid [MQTT-3.1.3-8].
[[nodiscard]] boost::system::result<ConnectView, ConnectError> decode_connect(
    std::string_view body) noexcept;

// MQTT 5.0 section 3.2. Of the optional fields, those that hold their default are not sent.
struct Connack {
  bool session_present = false;
  ReasonCode reason = ReasonCode::success;

  // What follows is for 5.0 only.
  std::optional<std::uint32_t> session_expiry{};  // seconds; when not what the client asked for
  std::uint16_t receive_maximum = 65'535;
  Qos maximum_qos = Qos::exactly_once;
  bool retain_available = true;
  std::optional<std::uint32_t> maximum_packet_size{};
  std::string_view assigned_client_id{};
  std::uint16_t topic_alias_maximum = 0;
  std::string_view reason_string{};  // only if the client's Request Problem Information allows it
  bool wildcard_subscriptions_available = true;
  bool subscription_identifiers_available = true;
  bool shared_subscriptions_available = true;
  std::optional<std::chrono::seconds> server_keep_alive{};  // when not what the client asked for
};

// Appends a CONNACK. 3.1.1 gets session_present and connect_return_code(reason), or no CONNACK at
// all when there is none.
// session_present is sent as false with a failure [MQTT-3.2.2-6].
void append_connack(std::string& out, ProtocolVersion version, const Connack& connack);

}  // namespace hub::mqtt
