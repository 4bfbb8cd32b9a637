#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/mqtt/decode_error.h"
#include "broker/mqtt/protocol.h"

namespace hub::mqtt {

struct DisconnectView {
  ReasonCode reason = ReasonCode::normal_disconnection;  // 3.1.1: this
  std::optional<std::uint32_t> session_expiry;           // seconds
  std::string_view reason_string;
};

// Decodes the body of a DISCONNECT from a client (MQTT 5.0 section 3.14).
//
// Fails with   malformed_packet   a field runs past the end, or bytes are left over; a body in
//                                 3.1.1; a property that this packet cannot have from a client
//              protocol_error     a reason code that a client cannot send [MQTT-3.14.2-1];
//                                 a property twice
// Leaves to broker/session: a Session Expiry Interval where CONNECT had none (section 3.14.2.2.2).
[[nodiscard]] DecodeResult<DisconnectView> decode_disconnect(ProtocolVersion version,
                                                             std::string_view body) noexcept;

// Appends a DISCONNECT to a client of 5.0; in 3.1.1 the server just closes the connection, and
// nothing is appended.
void append_disconnect(std::string& out, ProtocolVersion version, ReasonCode reason,
                       std::string_view reason_string = {});

// MQTT 5.0 section 3.15. Decoded so that it can be refused for the right reason.
struct AuthView {
  ReasonCode reason = ReasonCode::success;  // or continue_authentication, re_authenticate
  std::optional<std::string_view> method;
  std::string_view data;
};

[[nodiscard]] DecodeResult<AuthView> decode_auth(std::string_view body) noexcept;

}  // namespace hub::mqtt
