#pragma once

#include <string>
#include <string_view>

#include "broker/mqtt/decode_error.h"
#include "broker/mqtt/packet_id.h"
#include "broker/mqtt/protocol.h"

namespace hub::mqtt {

// A decoded PUBACK, PUBREC, PUBREL or PUBCOMP (MQTT 5.0 sections 3.4 to 3.7).
struct AckView {
  PacketId packet_id;
  ReasonCode reason = ReasonCode::success;  // 3.1.1: success
  std::string_view reason_string;
};

// Decodes the body of the packet that `type` names, which is one of those four.
//
// Fails with   malformed_packet   a field runs past the end, or bytes are left over; a property
//                                 that this packet cannot have
//              protocol_error     packet id 0 [MQTT-2.2.1-3]; a reason code that this packet cannot
//                                 have [MQTT-3.4.2-1]; a property twice
[[nodiscard]] DecodeResult<AckView> decode_ack(ProtocolVersion version, PacketType type,
                                               std::string_view body) noexcept;

// Appends one of those four packets: 4 bytes in 3.1.1 (which cannot say a reason) and in 5.0 when
// the reason is success and reason_string is empty.
void append_ack(std::string& out, ProtocolVersion version, PacketType type, PacketId id,
                ReasonCode reason = ReasonCode::success, std::string_view reason_string = {});

// PINGREQ has no body (section 3.12): anything in it is malformed_packet.
[[nodiscard]] DecodeResult<void> decode_pingreq(std::string_view body) noexcept;

void append_pingresp(std::string& out);

}  // namespace hub::mqtt
