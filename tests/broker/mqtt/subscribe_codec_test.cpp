#include "broker/mqtt/subscribe_codec.h"

#include "tests/broker/mqtt/codec_test_support.h"

namespace hub::mqtt {
namespace {

using enum ProtocolVersion;
using enum PropertyId;
using P = client::Properties;

std::vector<std::pair<std::string, SubscriptionOptions>> lines(const FilterList& filters) {
  std::vector<std::pair<std::string, SubscriptionOptions>> out;
  for (const FilterView line : filters) out.emplace_back(line.filter, line.options);
  return out;
}

std::string subscribe_with(const P& properties) {
  return body_of(
      client::encode(client::Subscribe{.filters = {{"a", {}}}, .properties = properties}));
}

// A SUBSCRIBE body of one line.
std::string line(ProtocolVersion version, std::string_view filter, unsigned options) {
  std::string body = from_hex(version == v5 ? "000100" : "0001");
  body += '\0';
  body += static_cast<char>(filter.size());
  body += filter;
  body += static_cast<char>(options);
  return body;
}

TEST(SubscribeDecoder, ReadsVersion311) {
  const std::string body = from_hex("0002 0003612f6200 0003632f2b01 00012302");
  const auto subscribe = decode_subscribe(v311, body);
  ASSERT_TRUE(subscribe.has_value());
  EXPECT_EQ(subscribe->packet_id, PacketId{2});
  EXPECT_EQ(subscribe->subscription_id, 0u);
  EXPECT_EQ(subscribe->filters.size(), 3u);
  EXPECT_THAT(lines(subscribe->filters),
              testing::ElementsAre(std::pair{"a/b", SubscriptionOptions{.qos = Qos::at_most_once}},
                                   std::pair{"c/+", SubscriptionOptions{.qos = Qos::at_least_once}},
                                   std::pair{"#", SubscriptionOptions{.qos = Qos::exactly_once}}));
}

TEST(SubscribeDecoder, ReadsEveryOption) {
  const std::vector<std::pair<std::string, SubscriptionOptions>> wanted = {
      {"a", {.qos = Qos::exactly_once, .no_local = true}},
      {"b/#", {.retain_as_published = true, .retain_handling = RetainHandling::do_not_send}},
      {"$share/g/b", {.qos = Qos::at_least_once, .retain_handling = RetainHandling::send_if_new}},
  };
  const std::string body = body_of(client::encode(
      client::Subscribe{.packet_id = 65'535,
                        .filters = wanted,
                        .properties = P{}.varint(subscription_identifier, 268'435'455)}));
  const auto subscribe = decode_subscribe(v5, body);
  ASSERT_TRUE(subscribe.has_value());
  EXPECT_EQ(subscribe->packet_id, PacketId{65'535});
  EXPECT_EQ(subscribe->subscription_id, 268'435'455u);
  EXPECT_EQ(lines(subscribe->filters), wanted);
}

TEST(SubscribeDecoder, RefusesAnEmptyList) {
  expect_error(decode_subscribe(v311, from_hex("0001")), ReasonCode::protocol_error, 2,
               "MQTT-3.8.3-2");
  expect_error(decode_subscribe(v5, from_hex("000100")), ReasonCode::protocol_error, 3,
               "MQTT-3.8.3-2");
  expect_error(decode_unsubscribe(v311, from_hex("0001")), ReasonCode::protocol_error, 2,
               "MQTT-3.10.3-2");
}

TEST(SubscribeDecoder, RefusesPacketIdZero) {
  for (const auto version : {v311, v5}) {
    expect_error(decode_subscribe(version, from_hex("0000 00 000161 00")),
                 ReasonCode::protocol_error, 0, "MQTT-2.2.1-3");
    expect_error(decode_unsubscribe(version, from_hex("0000 00 000161")),
                 ReasonCode::protocol_error, 0, "MQTT-2.2.1-3");
  }
}

TEST(SubscribeDecoder, RefusesBadOptions) {
  for (const unsigned bits : {0x03u, 0x04u, 0x08u, 0x10u, 0x80u}) {
    expect_error(decode_subscribe(v311, line(v311, "a", bits)), ReasonCode::malformed_packet, 5,
                 "MQTT-3.8.3-4");
  }
  expect_error(decode_subscribe(v5, line(v5, "a", 0x40)), ReasonCode::malformed_packet, 6,
               "MQTT-3.8.3-5");
  expect_error(decode_subscribe(v5, line(v5, "a", 0x80)), ReasonCode::malformed_packet, 6,
               "MQTT-3.8.3-5");
  expect_error(decode_subscribe(v5, line(v5, "a", 0x03)), ReasonCode::protocol_error, 6, "QoS 3");
  expect_error(decode_subscribe(v5, line(v5, "a", 0x30)), ReasonCode::protocol_error, 6,
               "Retain Handling 3");
  expect_error(decode_subscribe(v5, line(v5, "$share/g/a", 0x04)), ReasonCode::protocol_error, 15,
               "MQTT-3.8.3-4");
}

TEST(SubscribeDecoder, RefusesBadFilters) {
  for (const std::string_view filter : {"", "a#", "#/a", "a+", "a/#/b"}) {
    expect_error(decode_subscribe(v311, line(v311, filter, 0)), ReasonCode::malformed_packet, 2,
                 "MQTT-4.7.1-1");
    expect_error(decode_subscribe(v5, line(v5, filter, 0)), ReasonCode::malformed_packet, 3,
                 "MQTT-4.7.1-1");
  }
  expect_error(decode_subscribe(v5, line(v5, "\xFF", 0)), ReasonCode::malformed_packet, 3,
               "MQTT-1.5.4-1");
  expect_error(decode_unsubscribe(v311, from_hex("0001 0002612b")), ReasonCode::malformed_packet, 2,
               "MQTT-4.7.1-1");
}

TEST(SubscribeDecoder, RefusesBadShareNamesInVersion5) {
  for (const std::string_view filter : {"$share//a", "$share/+/a", "$share/#"}) {
    expect_error(decode_subscribe(v5, line(v5, filter, 0)), ReasonCode::malformed_packet, 3,
                 "MQTT-4.8.2-1");
  }
  for (const std::string_view filter : {"$share/g", "$share/g/"}) {
    expect_error(decode_subscribe(v5, line(v5, filter, 0)), ReasonCode::malformed_packet, 3,
                 "MQTT-4.8.2-2");
  }
  EXPECT_TRUE(
      decode_subscribe(v311, line(v311, "$share/g", 0)).has_value());  // means nothing there
  EXPECT_TRUE(decode_subscribe(v5, line(v5, "$shared/g", 4)).has_value());
}

TEST(SubscribeDecoder, RefusesTheWholePacketForItsLastLine) {
  const std::string body = line(v5, "good", 0) + from_hex("000161 03");
  expect_error(decode_subscribe(v5, body), ReasonCode::protocol_error, 13, "QoS 3");
}

TEST(SubscribeDecoder, RefusesForbiddenProperties) {
  expect_error(decode_subscribe(v5, subscribe_with(P{}.varint(subscription_identifier, 0))),
               ReasonCode::protocol_error, 3, "3.8.2.1.2");
  const P id = P{}.varint(subscription_identifier, 1);
  expect_error(decode_subscribe(v5, subscribe_with(P{id}.raw(id.bytes()))),
               ReasonCode::protocol_error, 5, "twice");
  expect_error(decode_subscribe(v5, subscribe_with(P{}.text(reason_string, "r"))),
               ReasonCode::malformed_packet, 3, "2.2.2.2");
  const std::string unsubscribe =
      body_of(client::encode(client::Unsubscribe{.filters = {"a"}, .properties = id}));
  expect_error(decode_unsubscribe(v5, unsubscribe), ReasonCode::malformed_packet, 3, "2.2.2.2");
}

TEST(SubscribeDecoder, RefusesLinesThatRunPastTheEnd) {
  expect_error(decode_subscribe(v311, from_hex("0001 000161")), ReasonCode::malformed_packet, 5,
               "past the end");
  expect_error(decode_subscribe(v311, from_hex("0001 00")), ReasonCode::malformed_packet, 2,
               "past the end");
  expect_error(decode_unsubscribe(v311, from_hex("0001 000261")), ReasonCode::malformed_packet, 4,
               "past the end");
}

TEST(UnsubscribeDecoder, ReadsBothVersions) {
  const std::string of_311 = from_hex("0002 0003782f79 000161");
  const auto v3 = decode_unsubscribe(v311, of_311);
  ASSERT_TRUE(v3.has_value());
  EXPECT_EQ(v3->filters.size(), 2u);
  EXPECT_THAT(lines(v3->filters), testing::ElementsAre(std::pair{"x/y", SubscriptionOptions{}},
                                                       std::pair{"a", SubscriptionOptions{}}));
  const std::string of_5 = from_hex("0002 072600016b000176 0003782f79");
  const auto five = decode_unsubscribe(v5, of_5);
  ASSERT_TRUE(five.has_value());
  EXPECT_EQ(five->packet_id, PacketId{2});
  EXPECT_THAT(lines(five->filters), testing::ElementsAre(std::pair{"x/y", SubscriptionOptions{}}));
}

TEST(SubackEncoder, WritesBothVersions) {
  const ReasonCode codes[] = {ReasonCode::granted_qos_0, ReasonCode::granted_qos_2,
                              ReasonCode::not_authorized};
  std::string out;
  append_suback(out, v311, PacketId{0x0102}, codes, "ignored");
  EXPECT_EQ(to_hex(out), "90050102000280");
  out.clear();
  append_suback(out, v5, PacketId{0x0102}, codes);
  EXPECT_EQ(to_hex(out), "9006010200000287");
  out.clear();
  append_suback(out, v5, PacketId{1}, codes, "no");
  const auto suback = client::decode_suback(v5, body_of(out));
  ASSERT_TRUE(suback.has_value());
  EXPECT_EQ(suback->packet_id, 1);
  EXPECT_THAT(suback->codes, testing::ElementsAreArray(codes));
  EXPECT_EQ(suback->properties.texts.at(reason_string), "no");
}

TEST(UnsubackEncoder, WritesBothVersions) {
  const ReasonCode codes[] = {ReasonCode::success, ReasonCode::no_subscription_existed};
  std::string out;
  append_unsuback(out, v311, PacketId{2}, codes);
  EXPECT_EQ(to_hex(out), "b0020002");
  out.clear();
  append_unsuback(out, v5, PacketId{2}, codes);
  EXPECT_EQ(to_hex(out), "b0050002000011");
}

}  // namespace
}  // namespace hub::mqtt
