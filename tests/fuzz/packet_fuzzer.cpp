// Feeds any bytes to the packet decoders as a connection would, in either version: the first byte
// of the input chooses the version, the rest is what the peer sends.
//
// Beyond not crashing: a frame is found at its last byte and not before; an error says something
// that can be sent; what was decoded comes out again when it is encoded and decoded once more.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "base/topic.h"
#include "broker/mqtt/ack_codec.h"
#include "broker/mqtt/connect_codec.h"
#include "broker/mqtt/framer.h"
#include "broker/mqtt/publish_codec.h"
#include "broker/mqtt/subscribe_codec.h"
#include "tests/support/mqtt_golden_packets.h"

namespace hub::mqtt {
namespace {

constexpr std::size_t kMaxPacket = 64 * 1024;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_publish(ProtocolVersion version, std::uint8_t flags, std::string_view body) {
  const auto first = decode_publish(version, flags, body);
  if (!first) return;
  require(first->topic.empty() ? first->properties.topic_alias != 0
                               : is_valid_topic_name(first->topic));
  require(first->packet_id.has_value() == (first->qos != Qos::at_most_once));

  std::string forwarded;
  append_forwarded_properties(forwarded, first->properties.raw);
  std::string packet;
  const auto encoded = append_publish(packet, version,
                                      {.topic = first->topic,
                                       .payload = first->payload,
                                       .qos = first->qos,
                                       .dup = first->dup,
                                       .retain = first->retain,
                                       .properties = forwarded,
                                       .message_expiry = first->properties.message_expiry,
                                       .topic_alias = first->properties.topic_alias});
  require(encoded.packet_bytes == packet.size());
  if (first->packet_id) {
    patch_packet_id(packet.data(), encoded.packet_id_offset, *first->packet_id);
  }
  const FrameHeader header = peek_frame(packet, kMaxPacketBytes, version);
  require(header.state == FrameState::complete && header.packet_bytes() == packet.size());
  const auto second =
      decode_publish(version, header.flags, std::string_view{packet}.substr(header.header_bytes));
  require(second.has_value());
  require(second->topic == first->topic && second->payload == first->payload);
  require(second->packet_id == first->packet_id && second->qos == first->qos);
  require(second->dup == first->dup && second->retain == first->retain);
  const PublishProperties& a = first->properties;
  const PublishProperties& b = second->properties;
  require(a.raw.size() == b.raw.size() && a.topic_alias == b.topic_alias);
  require(a.payload_is_utf8 == b.payload_is_utf8 && a.message_expiry == b.message_expiry);
  require(a.content_type == b.content_type && a.response_topic == b.response_topic);
  require(a.correlation_data == b.correlation_data);
  std::string forwarded_again;
  append_forwarded_properties(forwarded_again, b.raw);
  require(forwarded == forwarded_again);
}

void check_filters(const FilterList& filters) {
  std::size_t count = 0;
  for (const FilterView line : filters) {
    require(is_valid_topic_filter(line.filter) && line.options.qos <= Qos::exactly_once);
    ++count;
  }
  require(count > 0 && count == filters.size());
}

void check_ack(ProtocolVersion version, PacketType type, std::string_view body) {
  const auto first = decode_ack(version, type, body);
  if (!first) return;
  std::string packet;
  append_ack(packet, version, type, first->packet_id, first->reason, first->reason_string);
  const FrameHeader header = peek_frame(packet, kMaxPacketBytes, version);
  require(header.state == FrameState::complete && header.type == type);
  const auto second =
      decode_ack(version, type, std::string_view{packet}.substr(header.header_bytes));
  require(second.has_value() && second->packet_id == first->packet_id);
  require(second->reason == first->reason && second->reason_string == first->reason_string);
}

void check_connect(std::string_view body) {
  const auto connect = decode_connect(body);
  if (!connect) {
    require(connect.error().answer != ConnectError::Answer::connack_v311 ||
            connect_return_code(connect.error().reason).has_value());
    return;
  }
  require(is_valid_utf8_string(connect->client_id));
  if (!connect->will) return;
  require(is_valid_topic_name(connect->will->topic));
  std::string forwarded;
  append_forwarded_properties(forwarded, connect->will->properties);
  require(forwarded.size() <= connect->will->properties.size());
}

void check_packet(ProtocolVersion version, const FrameHeader& header, std::string_view body) {
  const auto error = decode_client_packet(version, header.type, header.flags, body);
  if (error) {
    require(is_failure(error->reason) && error->what != nullptr && error->offset <= body.size());
  }
  switch (header.type) {
    case PacketType::connect:
      check_connect(body);
      break;
    case PacketType::publish:
      check_publish(version, header.flags, body);
      break;
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubrel:
    case PacketType::pubcomp:
      check_ack(version, header.type, body);
      break;
    case PacketType::subscribe:
      if (const auto subscribe = decode_subscribe(version, body)) check_filters(subscribe->filters);
      break;
    case PacketType::unsubscribe:
      if (const auto request = decode_unsubscribe(version, body)) check_filters(request->filters);
      break;
    default:
      break;
  }
}

void feed(ProtocolVersion version, std::string_view bytes) {
  for (;;) {
    const FrameHeader header = peek_frame(bytes, kMaxPacket, version);
    if (header.state != FrameState::complete) {
      require(header.state == FrameState::need_more || is_failure(header.error().reason));
      return;
    }
    const std::size_t packet_bytes = header.packet_bytes();
    require(packet_bytes <= bytes.size() && packet_bytes <= kMaxPacket);
    require(peek_frame(bytes.substr(0, packet_bytes - 1), kMaxPacket, version).state ==
            FrameState::need_more);

    // On the heap and no byte longer, so that the address sanitizer sees one read too many.
    const auto body = std::make_unique<char[]>(header.body_bytes);
    bytes.substr(header.header_bytes, header.body_bytes).copy(body.get(), header.body_bytes);
    check_packet(version, header, {body.get(), header.body_bytes});
    bytes.remove_prefix(packet_bytes);
  }
}

}  // namespace
}  // namespace hub::mqtt

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  using hub::mqtt::ProtocolVersion;
  hub::mqtt::feed((data[0] & 1) != 0 ? ProtocolVersion::v5 : ProtocolVersion::v311,
                  {reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
