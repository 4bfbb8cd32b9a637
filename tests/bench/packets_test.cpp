#include "bench/load/packets.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace hub::bench {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

TEST(ConnectPacket, IsAsTheStandardHasIt) {
  std::string out;
  append_connect(out, {.client_id = "c", .keep_alive_seconds = 60});
  EXPECT_EQ(out,
            "\x10\x0D\x00\x04MQTT\x04\x02\x00\x3C\x00\x01"
            "c"s);
}

TEST(ConnectPacket, CarriesCredentialsAndSessionExpiry) {
  std::string out;
  append_connect(out, {.version = MqttVersion::v5,
                       .client_id = "c",
                       .username = "u",
                       .password = "pw",
                       .keep_alive_seconds = 0,
                       .clean_start = false,
                       .session_expiry_seconds = 0x01020304});
  EXPECT_EQ(out,
            "\x10\x1A\x00\x04MQTT\x05\xC0\x00\x00\x05\x11\x01\x02\x03\x04\x00\x01"
            "c\x00\x01u\x00\x02pw"s);
}

TEST(SubscribePacket, DiffersByVersion) {
  std::string old_one;
  append_subscribe(old_one, MqttVersion::v3_1_1, 1, "a/+", 1);
  EXPECT_EQ(old_one,
            "\x82\x08\x00\x01\x00\x03"
            "a/+\x01"s);
  std::string new_one;
  append_subscribe(new_one, MqttVersion::v5, 1, "a/+", 2);
  EXPECT_EQ(new_one,
            "\x82\x09\x00\x01\x00\x00\x03"
            "a/+\x02"s);
}

TEST(AckPacket, SetsTheFlagsOfPubrelOnly) {
  std::string out;
  append_ack(out, PacketType::puback, 0x1234);
  append_ack(out, PacketType::pubrel, 1);
  EXPECT_EQ(out, "\x40\x02\x12\x34\x62\x02\x00\x01"s);
}

TEST(PacketScanner, WalksOverWholePacketsAndLeavesAPart) {
  const auto bytes = "\x40\x02\x00\x01\xD0\x00\x40\x02\x00"sv;
  PacketScanner packets{bytes};
  Packet packet;
  ASSERT_TRUE(packets.next(packet));
  EXPECT_EQ(packet.type, PacketType::puback);
  EXPECT_EQ(parse_ack(packet.body).packet_id, 1);
  ASSERT_TRUE(packets.next(packet));
  EXPECT_EQ(packet.type, PacketType::pingresp);
  EXPECT_TRUE(packet.body.empty());
  EXPECT_FALSE(packets.next(packet));
  EXPECT_EQ(packets.rest(), "\x40\x02\x00"sv);
  EXPECT_FALSE(packets.malformed());
}

// However a stream is cut, the same packets come out of it.
TEST(PacketScanner, NeedsTheRestOfEveryPrefix) {
  for (const std::size_t length : {0U, 1U, 127U, 128U, 16'383U, 16'384U}) {
    std::string bytes = "\x30";
    append_remaining_length(bytes, length);
    bytes.append(length, 'x');
    for (std::size_t cut = 0; cut < bytes.size(); cut += cut < 8 ? 1 : 977) {
      PacketScanner packets{std::string_view{bytes}.substr(0, cut)};
      Packet packet;
      EXPECT_FALSE(packets.next(packet));
      EXPECT_EQ(packets.rest().size(), cut);
    }
    PacketScanner packets{bytes};
    Packet packet;
    ASSERT_TRUE(packets.next(packet));
    EXPECT_EQ(packet.body.size(), length);
    EXPECT_TRUE(packets.rest().empty());
  }
}

TEST(PacketScanner, RefusesALengthOfFiveBytes) {
  PacketScanner packets{"\x30\xFF\xFF\xFF\xFF\x01"sv};
  Packet packet;
  EXPECT_FALSE(packets.next(packet));
  EXPECT_TRUE(packets.malformed());
}

TEST(Connack, OfTheOldVersionIsTwoBytes) {
  EXPECT_EQ(parse_connack("\x00\x05"sv, MqttVersion::v3_1_1)->reason, 5);
  EXPECT_FALSE(parse_connack("\x00"sv, MqttVersion::v3_1_1));
}

TEST(Connack, TellsTheLimitsOfTheBroker) {
  // maximum packet size, receive maximum, a user property, maximum QoS
  const auto body =
      "\x00\x00\x13\x27\x00\x01\x00\x00\x21\x00\x14\x26\x00\x01k\x00\x03val\x24\x01"sv;
  const auto connack = parse_connack(body, MqttVersion::v5);
  ASSERT_TRUE(connack);
  EXPECT_EQ(connack->receive_maximum, 20);
  EXPECT_EQ(connack->maximum_qos, 1);
  for (std::size_t cut = 3; cut < body.size(); ++cut) {
    EXPECT_FALSE(parse_connack(body.substr(0, cut), MqttVersion::v5)) << cut;
  }
}

TEST(Suback, GivesTheReasonCode) {
  EXPECT_EQ(parse_suback("\x00\x01\x02"sv, MqttVersion::v3_1_1), 2);
  EXPECT_EQ(parse_suback("\x00\x01\x00\x87"sv, MqttVersion::v5), 0x87);
  EXPECT_FALSE(parse_suback("\x00\x01\x00"sv, MqttVersion::v5));
}

TEST(Ack, ReadsTheReasonWhereThereIsOne) {
  EXPECT_EQ(parse_ack("\x01\x02"sv).packet_id, 0x0102);
  EXPECT_EQ(parse_ack("\x01\x02"sv).reason, 0);
  EXPECT_EQ(parse_ack("\x01\x02\x97\x00"sv).reason, 0x97);
  EXPECT_EQ(parse_ack("\x01"sv).packet_id, 0);
}

TEST(Delivery, IsReadInPlaceAndNeverPastItsEnd) {
  const auto body = "\x00\x03t/7\x00\x2A\x03\x01\x00\x00payload"sv;
  const Packet packet{PacketType::publish, 0x0A, body};
  const auto delivery = parse_delivery(packet, MqttVersion::v5);
  ASSERT_TRUE(delivery);
  EXPECT_EQ(delivery->topic, "t/7");
  EXPECT_EQ(delivery->packet_id, 42);
  EXPECT_EQ(delivery->qos, 1);
  EXPECT_TRUE(delivery->dup);
  EXPECT_EQ(delivery->payload, "payload");
  for (std::size_t cut = 0; cut < body.size() - 7; ++cut) {
    EXPECT_FALSE(parse_delivery({PacketType::publish, 0x0A, body.substr(0, cut)}, MqttVersion::v5))
        << cut;
  }
}

TEST(ReasonName, KnowsTheStandardsCodesAndShowsOthers) {
  EXPECT_EQ(reason_name(0x97), "quota exceeded");
  EXPECT_EQ(reason_name(0x05), "not authorized");
  EXPECT_EQ(reason_name(0xF0), "reason 0xf0");
}

}  // namespace
}  // namespace hub::bench
