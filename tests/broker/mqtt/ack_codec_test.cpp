#include "broker/mqtt/ack_codec.h"

#include "tests/broker/mqtt/codec_test_support.h"

namespace hub::mqtt {
namespace {

using enum ProtocolVersion;
using enum PacketType;

constexpr PacketType kAcks[] = {puback, pubrec, pubrel, pubcomp};

TEST(AckDecoder, ReadsTheTwoByteForm) {
  for (const auto version : {v311, v5}) {
    for (const auto type : kAcks) {
      const auto ack = decode_ack(version, type, from_hex("1234"));
      ASSERT_TRUE(ack.has_value());
      EXPECT_EQ(ack->packet_id, PacketId{0x1234});
      EXPECT_EQ(ack->reason, ReasonCode::success);
    }
  }
}

TEST(AckDecoder, ReadsReasonAndProperties) {
  const auto reason = decode_ack(v5, puback, from_hex("0001 10"));
  ASSERT_TRUE(reason.has_value());
  EXPECT_EQ(reason->reason, ReasonCode::no_matching_subscribers);
  const std::string body = from_hex("0001 97 0b 1f0003627573 2600000000");
  const auto full = decode_ack(v5, pubrec, body);
  ASSERT_TRUE(full.has_value());
  EXPECT_EQ(full->reason, ReasonCode::quota_exceeded);
  EXPECT_EQ(full->reason_string, "bus");
}

TEST(AckDecoder, AllowsEachPacketItsReasonsOnly) {  // tables 3-4 to 3-7
  for (unsigned code = 0; code <= 0xFF; ++code) {
    const bool of_publish = code == 0 || code == 0x10 || code == 0x80 || code == 0x83 ||
                            code == 0x87 || code == 0x90 || code == 0x91 || code == 0x97 ||
                            code == 0x99;
    const bool of_release = code == 0 || code == 0x92;
    const char body[] = {0, 1, static_cast<char>(code)};
    for (const auto type : kAcks) {
      const bool allowed = type == puback || type == pubrec ? of_publish : of_release;
      const auto ack = decode_ack(v5, type, {body, 3});
      ASSERT_EQ(ack.has_value(), allowed) << code;
      if (!allowed) expect_error(ack, ReasonCode::protocol_error, 2, "MQTT-3.4.2-1");
    }
  }
}

TEST(AckDecoder, RefusesWhatIsMalformed) {
  for (const auto version : {v311, v5}) {
    expect_error(decode_ack(version, puback, from_hex("0000")), ReasonCode::protocol_error, 0,
                 "MQTT-2.2.1-3");
    expect_error(decode_ack(version, puback, from_hex("00")), ReasonCode::malformed_packet, 0,
                 "past the end");
  }
  expect_error(decode_ack(v311, puback, from_hex("000100")), ReasonCode::malformed_packet, 2,
               "left over");
  expect_error(decode_ack(v5, puback, from_hex("0001 00 00 00")), ReasonCode::malformed_packet, 4,
               "left over");
  expect_error(decode_ack(v5, puback, from_hex("0001 00 05 1f000161")),
               ReasonCode::malformed_packet, 4, "properties run past the end");
  expect_error(decode_ack(v5, puback, from_hex("0001 00 08 1f000161 1f000162")),
               ReasonCode::protocol_error, 8, "twice");
  expect_error(decode_ack(v5, puback, from_hex("0001 00 03 230001")), ReasonCode::malformed_packet,
               4, "2.2.2.2");
}

TEST(AckEncoder, TakesFourBytesWithoutAReason) {
  std::string out;
  for (const auto type : kAcks) append_ack(out, v5, type, PacketId{0x1234});
  EXPECT_EQ(to_hex(out),
            "40021234"
            "50021234"
            "62021234"
            "70021234");
  out.clear();
  append_ack(out, v311, pubrec, PacketId{1}, ReasonCode::quota_exceeded, "ignored");
  EXPECT_EQ(to_hex(out), "50020001");
}

TEST(AckEncoder, WritesReasonAndReasonString) {
  std::string out;
  append_ack(out, v5, pubrel, PacketId{1}, ReasonCode::packet_identifier_not_found);
  EXPECT_EQ(to_hex(out), "6203000192");
  out.clear();
  append_ack(out, v5, puback, PacketId{1}, ReasonCode::quota_exceeded, "full");
  EXPECT_EQ(to_hex(out), "400b000197071f000466756c6c");
  const auto ack = client::decode_ack(v5, body_of(out));
  ASSERT_TRUE(ack.has_value());
  EXPECT_EQ(ack->reason, ReasonCode::quota_exceeded);
  EXPECT_EQ(ack->properties.texts.at(PropertyId::reason_string), "full");
}

TEST(Ping, HasNoBody) {
  EXPECT_TRUE(decode_pingreq("").has_value());
  expect_error(decode_pingreq("x"), ReasonCode::malformed_packet, 0, "3.12");
  std::string out;
  append_pingresp(out);
  EXPECT_EQ(to_hex(out), "d000");
}

}  // namespace
}  // namespace hub::mqtt
