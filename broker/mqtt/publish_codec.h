#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/message.h"
#include "broker/mqtt/decode_error.h"
#include "broker/mqtt/packet_id.h"
#include "broker/mqtt/protocol.h"

namespace hub::mqtt {

// The properties of a PUBLISH (MQTT 5.0 section 3.3.2.3); all absent in 3.1.1.
struct PublishProperties {
  std::string_view raw;                         // the whole block, without its length
  std::uint16_t topic_alias = 0;                // 0: none
  bool payload_is_utf8 = false;                 // Payload Format Indicator; not checked here
  std::optional<std::uint32_t> message_expiry;  // seconds
  std::optional<std::string_view> content_type;
  std::optional<std::string_view> response_topic;  // a valid topic name
  std::optional<std::string_view> correlation_data;
};

// One decoded PUBLISH. Borrows: every view points into the body it was decoded from.
struct PublishView {
  std::string_view topic;  // a valid topic name; empty only when an alias stands in for it
  std::string_view payload;
  std::optional<PacketId> packet_id;  // present exactly when qos > 0
  Qos qos = Qos::at_most_once;
  bool dup = false;
  bool retain = false;
  PublishProperties properties;
};

// Decodes what follows the fixed header of a PUBLISH from a client (section 3.3 of both standards).
//
// flags: low four bits of the first byte.   body: exactly Remaining Length bytes, and no byte
// outside it is read. Allocates nothing; keeps no state; safe on any thread.
//
// Fails with   malformed_packet     a field runs past the end; both QoS bits set [MQTT-3.3.1-4];
//                                   DUP at QoS 0 [MQTT-3.3.1-2]; bad UTF-8 [MQTT-1.5.4-1];
//                                   a wildcard in the topic name [MQTT-3.3.2-2]
//              protocol_error       neither topic nor alias (section 3.3.2.1); packet id 0
//                                   [MQTT-2.2.1-3]; a property twice; a Subscription Identifier
//                                   from a client [MQTT-3.3.4-6]
//              topic_alias_invalid  alias 0 [MQTT-3.3.2-8]
// Leaves to broker/session, which knows the connection: alias range, Receive Maximum,
// authorization, whether the payload is the UTF-8 that it says it is.
[[nodiscard]] DecodeResult<PublishView> decode_publish(ProtocolVersion version, std::uint8_t flags,
                                                       std::string_view body) noexcept;

// The topic of a PUBLISH of which only a part has come; nothing when that part does not hold it
// whole. It is not checked: that is decode_publish()'s, once all is there. `body` as much as is
// there.
[[nodiscard]] std::optional<std::string_view> peek_publish_topic(std::string_view body) noexcept;
[[nodiscard]] inline Qos publish_qos(std::uint8_t flags) {
  return static_cast<Qos>(flags >> 1 & 0x03);
}

// Appends those properties of a PUBLISH or a will that travel on to subscribers unchanged and in
// their order (MQTT 5.0 section 3.3.2.3): all but the topic alias, the message expiry, which the
// hub counts down, and the will delay. raw: from a successful decode.
void append_forwarded_properties(std::string& out, std::string_view raw);

// A PUBLISH to a subscriber. What is for 5.0 only is left out in the form of 3.1.1.
struct OutboundPublish {
  std::string_view topic{};
  std::string_view payload{};
  Qos qos = Qos::at_most_once;
  bool dup = false;
  bool retain = false;
  std::string_view properties{};                      // from append_forwarded_properties()
  std::optional<std::uint32_t> message_expiry{};      // seconds that are left [MQTT-3.3.2-6]
  std::span<const std::uint32_t> subscription_ids{};  // [MQTT-3.3.4-3]
  std::uint16_t topic_alias = 0;                      // 0: none; else topic may be empty
};

// Where things are in an encoded PUBLISH, counted from its first byte, so that one encoding can be
// copied and patched for each of its subscribers.
struct EncodedPublish {
  std::size_t packet_bytes = 0;      // 0: would exceed kMaxPacketBytes, and nothing was appended
  std::size_t packet_id_offset = 0;  // 0 at QoS 0; else where two bytes wait for patch_packet_id()
};

// Appends the packet, with packet id 0 when qos > 0.
EncodedPublish append_publish(std::string& out, ProtocolVersion version,
                              const OutboundPublish& publish);

// The same without the payload, which the caller sends right after it from where it is.
// packet_bytes counts the payload too.
EncodedPublish append_publish_head(std::string& out, ProtocolVersion version,
                                   const OutboundPublish& publish);

// packet: the first byte of an encoded PUBLISH.
inline void patch_packet_id(char* packet, std::size_t packet_id_offset, PacketId id) {
  packet[packet_id_offset] = static_cast<char>(id.value() >> 8);
  packet[packet_id_offset + 1] = static_cast<char>(id.value() & 0xFF);
}
inline void patch_dup(char* packet) { packet[0] = static_cast<char>(packet[0] | 0x08); }

}  // namespace hub::mqtt
