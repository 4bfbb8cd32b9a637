#include "broker/mqtt/publish_codec.h"

#include "tests/broker/mqtt/codec_test_support.h"

namespace hub::mqtt {
namespace {

using namespace std::string_literals;
using enum ProtocolVersion;
using enum PropertyId;

constexpr std::uint8_t kQos0 = 0x00, kQos1 = 0x02, kQos2 = 0x04, kDup = 0x08, kRetain = 0x01;

// A body with topic "a/b", packet id 7 if any, these properties and no payload.
std::string body_with(const client::Properties& properties, Qos qos = Qos::at_most_once) {
  return body_of(client::encode(
      client::Publish{.topic = "a/b", .qos = qos, .packet_id = 7, .properties = properties}));
}

TEST(PublishDecoder, ReadsVersion311) {
  const std::string body = from_hex("0003612f62 0007 6869");
  const auto publish = decode_publish(v311, kQos1 | kDup | kRetain, body);
  ASSERT_TRUE(publish.has_value());
  EXPECT_EQ(publish->topic, "a/b");
  EXPECT_EQ(publish->packet_id, PacketId{7});
  EXPECT_EQ(publish->qos, Qos::at_least_once);
  EXPECT_TRUE(publish->dup);
  EXPECT_TRUE(publish->retain);
  EXPECT_EQ(publish->payload, "hi");
  EXPECT_EQ(publish->topic.data(), body.data() + 2);  // borrows
}

TEST(PublishDecoder, HasNoPacketIdAtQos0) {  // [MQTT-2.2.1-2]
  const auto publish = decode_publish(v311, kQos0, from_hex("0003612f62 0007"));
  ASSERT_TRUE(publish.has_value());
  EXPECT_FALSE(publish->packet_id);
  EXPECT_EQ(publish->payload.size(), 2u);
}

TEST(PublishDecoder, AcceptsAnEmptyPayload) {
  const std::string body = from_hex("0003612f62 0007 00");
  const auto publish = decode_publish(v5, kQos2, body);
  ASSERT_TRUE(publish.has_value());
  EXPECT_EQ(publish->payload, "");
  EXPECT_EQ(publish->qos, Qos::exactly_once);
}

TEST(PublishDecoder, ReadsEveryProperty) {
  const auto body = body_with(client::Properties{}
                                  .u8(payload_format_indicator, 1)
                                  .u32(message_expiry_interval, 300)
                                  .text(content_type, "text/plain")
                                  .text(response_topic, "re/1")
                                  .text(correlation_data, "\0\xFF"s)
                                  .u16(topic_alias, 3)
                                  .user("k", "v")
                                  .user("k", "w"));
  const auto publish = decode_publish(v5, kQos0, body);
  ASSERT_TRUE(publish.has_value());
  const PublishProperties& properties = publish->properties;
  EXPECT_TRUE(properties.payload_is_utf8);
  EXPECT_EQ(properties.message_expiry, 300u);
  EXPECT_EQ(properties.content_type, "text/plain");
  EXPECT_EQ(properties.response_topic, "re/1");
  EXPECT_EQ(properties.correlation_data, "\0\xFF"s);
  EXPECT_EQ(properties.topic_alias, 3);
  EXPECT_EQ(properties.raw.size(), body.size() - 6);
}

TEST(PublishDecoder, TellsAbsentPropertiesFromEmptyOnes) {
  const auto none = decode_publish(v5, kQos0, from_hex("0003612f62 00"));
  ASSERT_TRUE(none.has_value());
  EXPECT_FALSE(none->properties.message_expiry || none->properties.content_type ||
               none->properties.correlation_data || none->properties.response_topic);
  const std::string body =
      body_with(client::Properties{}.text(content_type, "").text(correlation_data, ""));
  const auto empty = decode_publish(v5, kQos0, body);
  ASSERT_TRUE(empty.has_value());
  EXPECT_EQ(empty->properties.content_type, "");
  EXPECT_EQ(empty->properties.correlation_data, "");
}

TEST(PublishDecoder, LetsAnAliasStandInForTheTopic) {
  const std::string body = from_hex("0000 03 230001 6869");
  const auto publish = decode_publish(v5, kQos0, body);
  ASSERT_TRUE(publish.has_value());
  EXPECT_EQ(publish->topic, "");
  EXPECT_EQ(publish->properties.topic_alias, 1);
  EXPECT_EQ(publish->payload, "hi");
}

TEST(PublishDecoder, RefusesBadFlags) {
  const std::string body = from_hex("0003612f62 0007");
  expect_error(decode_publish(v311, kQos1 | kQos2, body), ReasonCode::malformed_packet, 0,
               "MQTT-3.3.1-4");
  expect_error(decode_publish(v311, kQos0 | kDup, body), ReasonCode::malformed_packet, 0,
               "MQTT-3.3.1-2");
}

TEST(PublishDecoder, RefusesBadTopics) {
  for (const auto* hex : {"0003612f2b", "000123", "000100", "0002c080", "0003eda080"}) {
    expect_error(decode_publish(v311, kQos0, from_hex(hex)), ReasonCode::malformed_packet, 0,
                 "MQTT-3.3.2-2");
    expect_error(decode_publish(v5, kQos0, from_hex(hex) + '\0'), ReasonCode::malformed_packet, 0,
                 "MQTT-3.3.2-2");
  }
  expect_error(decode_publish(v311, kQos0, from_hex("0000")), ReasonCode::malformed_packet, 0,
               "MQTT-4.7.3-1");
  expect_error(decode_publish(v5, kQos0, from_hex("0000 00")), ReasonCode::protocol_error, 0,
               "3.3.2.1");
}

TEST(PublishDecoder, RefusesPacketIdZero) {
  expect_error(decode_publish(v311, kQos1, from_hex("000161 0000")), ReasonCode::protocol_error, 3,
               "MQTT-2.2.1-3");
  expect_error(decode_publish(v5, kQos2, from_hex("000161 0000 00")), ReasonCode::protocol_error, 3,
               "MQTT-2.2.1-3");
}

TEST(PublishDecoder, RefusesFieldsThatRunPastTheEnd) {
  for (const auto* hex : {"", "00", "0004616263", "000161", "00016100"}) {
    const auto result = decode_publish(v311, kQos1, from_hex(hex));
    ASSERT_TRUE(result.has_error()) << hex;
    EXPECT_EQ(result.error().reason, ReasonCode::malformed_packet) << hex;
  }
  expect_error(decode_publish(v5, kQos0, from_hex("000161")), ReasonCode::malformed_packet, 3,
               "past the end of the packet");
  expect_error(decode_publish(v5, kQos0, from_hex("000161 02 01")), ReasonCode::malformed_packet, 4,
               "properties run past the end");
}

TEST(PublishDecoder, RefusesAPropertyThatRunsIntoThePayload) {
  // Property length 2, but a Message Expiry takes five; the payload has the bytes.
  expect_error(decode_publish(v5, kQos0, from_hex("000161 02 0200 000001 6869")),
               ReasonCode::malformed_packet, 4, "past the end of the properties");
}

TEST(PublishDecoder, RefusesPropertiesThatArePresentTwice) {
  const auto twice = [](const client::Properties& once) {
    return client::Properties{once}.raw(once.bytes());
  };
  for (const auto& once : {client::Properties{}.u8(payload_format_indicator, 0),
                           client::Properties{}.u32(message_expiry_interval, 1),
                           client::Properties{}.text(content_type, "c"),
                           client::Properties{}.text(response_topic, "r"),
                           client::Properties{}.text(correlation_data, "d"),
                           client::Properties{}.u16(topic_alias, 1)}) {
    expect_error(decode_publish(v5, kQos0, body_with(twice(once))), ReasonCode::protocol_error,
                 6 + once.bytes().size(), "twice");
  }
}

TEST(PublishDecoder, RefusesPropertiesOfOtherPackets) {  // section 2.2.2.2
  for (const auto& other :
       {client::Properties{}.u32(session_expiry_interval, 1),
        client::Properties{}.u16(server_keep_alive, 1),
        client::Properties{}.text(authentication_method, "m"),
        client::Properties{}.u32(will_delay_interval, 1),
        client::Properties{}.text(reason_string, "r"), client::Properties{}.u16(receive_maximum, 1),
        client::Properties{}.u8(maximum_qos, 1),
        client::Properties{}.u32(maximum_packet_size, 1)}) {
    expect_error(decode_publish(v5, kQos0, body_with(other)), ReasonCode::malformed_packet, 6,
                 "2.2.2.2");
  }
  for (const auto* id : {"00", "04", "10", "2b", "7f", "8101"}) {
    expect_error(decode_publish(v5, kQos0, body_with(client::Properties{}.raw(from_hex(id)))),
                 ReasonCode::malformed_packet, 6, "2.2.2.2");
  }
}

TEST(PublishDecoder, RefusesForbiddenPropertyValues) {
  const auto decode = [](const client::Properties& properties) {
    return decode_publish(v5, kQos0, body_with(properties));
  };
  using P = client::Properties;
  expect_error(decode(P{}.varint(subscription_identifier, 5)), ReasonCode::protocol_error, 6,
               "MQTT-3.3.4-6");
  expect_error(decode(P{}.u16(topic_alias, 0)), ReasonCode::topic_alias_invalid, 6, "MQTT-3.3.2-8");
  expect_error(decode(P{}.u8(payload_format_indicator, 2)), ReasonCode::protocol_error, 6,
               "0 or 1");
  expect_error(decode(P{}.text(response_topic, "a/#")), ReasonCode::malformed_packet, 6,
               "MQTT-3.3.2-14");
  expect_error(decode(P{}.text(response_topic, "")), ReasonCode::malformed_packet, 6,
               "MQTT-3.3.2-14");
  expect_error(decode(P{}.text(content_type, "\xFF")), ReasonCode::malformed_packet, 7,
               "MQTT-1.5.4-1");
  expect_error(decode(P{}.user("k", "\0"s)), ReasonCode::malformed_packet, 10, "MQTT-1.5.4-1");
}

TEST(PublishDecoder, RefusesPropertyLengthsThatAreNotShortest) {  // [MQTT-1.5.5-1]
  expect_error(decode_publish(v5, kQos0, from_hex("000161 8000")), ReasonCode::malformed_packet, 5,
               "MQTT-1.5.5-1");
  expect_error(decode_publish(v5, kQos0, from_hex("000161 8080808001")),
               ReasonCode::malformed_packet, 7, "1.5.5");
}

TEST(PublishEncoder, WritesVersion311) {
  std::string out = "before";
  const auto encoded = append_publish(out, v311,
                                      {.topic = "a/b",
                                       .payload = "hi",
                                       .qos = Qos::at_least_once,
                                       .retain = true,
                                       .properties = "ignored",
                                       .message_expiry = 1,
                                       .topic_alias = 2});
  EXPECT_EQ(to_hex(out.substr(6)), "33090003612f6200006869");
  EXPECT_EQ(encoded.packet_bytes, 11u);
  EXPECT_EQ(encoded.packet_id_offset, 7u);
}

TEST(PublishEncoder, PatchesIdAndDup) {
  std::string out;
  const auto encoded =
      append_publish(out, v5, {.topic = "a/b", .payload = "hi", .qos = Qos::exactly_once});
  patch_packet_id(out.data(), encoded.packet_id_offset, PacketId{0x1234});
  patch_dup(out.data());
  EXPECT_EQ(to_hex(out), "3c0a0003612f621234006869");
}

// Recorded from mosquitto 2.0.11, for a subscription with identifier 5; property order is free.
TEST(PublishEncoder, AgreesWithAnotherBroker) {
  std::string out;
  const std::uint32_t ids[] = {5};
  const auto encoded = append_publish(out, v5,
                                      {.topic = "a/b",
                                       .payload = from_hex("010368696869"),
                                       .qos = Qos::at_least_once,
                                       .subscription_ids = ids});
  patch_packet_id(out.data(), encoded.packet_id_offset, PacketId{1});
  EXPECT_EQ(to_hex(out), "32100003612f62000102" + "0b05010368696869"s);
}

TEST(PublishEncoder, WritesEveryPropertyForVersion5) {
  std::string forwarded;
  append_forwarded_properties(forwarded, client::Properties{}.user("k", "v").bytes());
  std::string out;
  const std::uint32_t ids[] = {1, 300};
  const auto encoded = append_publish(out, v5,
                                      {.topic = "",
                                       .payload = "x",
                                       .properties = forwarded,
                                       .message_expiry = 9,
                                       .subscription_ids = ids,
                                       .topic_alias = 2});
  EXPECT_EQ(encoded.packet_id_offset, 0u);
  EXPECT_EQ(encoded.packet_bytes, out.size());
  const auto received = client::decode_publish(v5, 0, body_of(out));
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->topic, "");
  EXPECT_EQ(received->payload, "x");
  EXPECT_EQ(received->properties.numbers.at(topic_alias), 2u);
  EXPECT_EQ(received->properties.numbers.at(message_expiry_interval), 9u);
  EXPECT_THAT(received->properties.subscription_ids, testing::ElementsAre(1, 300));
  EXPECT_THAT(received->properties.user, testing::ElementsAre(testing::Pair("k", "v")));
}

TEST(PublishEncoder, LeavesThePayloadToTheCaller) {
  const OutboundPublish publish{.topic = "t", .payload = "payload", .qos = Qos::at_least_once};
  std::string whole;
  std::string head;
  const auto of_whole = append_publish(whole, v5, publish);
  const auto of_head = append_publish_head(head, v5, publish);
  EXPECT_EQ(head + "payload", whole);
  EXPECT_EQ(of_head.packet_bytes, of_whole.packet_bytes);
  EXPECT_EQ(of_head.packet_id_offset, of_whole.packet_id_offset);
}

TEST(PublishEncoder, AppendsNothingThatWouldBeTooLong) {
  const std::string payload(kMaxRemainingLength - 3, 'x');  // just fits in 3.1.1
  std::string out = "before";
  EXPECT_EQ(append_publish_head(out, v5, {.topic = "t", .payload = payload}).packet_bytes, 0u);
  EXPECT_EQ(out, "before");
  EXPECT_EQ(append_publish_head(out, v311, {.topic = "t", .payload = payload}).packet_bytes,
            kMaxPacketBytes);
}

TEST(ForwardedProperties, KeepAllButAliasExpiryAndDelayInTheirOrder) {
  using P = client::Properties;
  const std::string kept = P{}.user("a", "1").u8(payload_format_indicator, 1).bytes();
  const std::string kept_later =
      P{}.text(correlation_data, "").user("a", "2").text(response_topic, "r").bytes();
  const P all = P{}.u16(topic_alias, 2)
                    .raw(kept)
                    .u32(message_expiry_interval, 7)
                    .u32(will_delay_interval, 7)
                    .raw(kept_later)
                    .text(content_type, "c");
  std::string out;
  append_forwarded_properties(out, all.bytes());
  EXPECT_EQ(out, kept + kept_later + P{}.text(content_type, "c").bytes());
  out.clear();
  append_forwarded_properties(out, "");
  EXPECT_EQ(out, "");
}

}  // namespace
}  // namespace hub::mqtt
