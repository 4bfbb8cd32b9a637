#include "broker/mqtt/connect_codec.h"

#include "tests/broker/mqtt/codec_test_support.h"

namespace hub::mqtt {
namespace {

using namespace std::string_literals;
using namespace std::chrono_literals;
using enum ProtocolVersion;
using enum PropertyId;
using Answer = ConnectError::Answer;
using P = client::Properties;

std::string golden(std::string_view name) {
  for (const auto& packet : golden_packets()) {
    if (packet.name == name) return body_of(packet.bytes());
  }
  throw std::invalid_argument("no such golden packet");
}

std::string connect_with(const P& properties) {
  return body_of(client::encode(client::Connect{.client_id = "c", .properties = properties}));
}

std::string will_with(const P& properties, std::string topic = "w") {
  return body_of(client::encode(client::Connect{
      .client_id = "c",
      .will = client::Will{.topic = std::move(topic), .payload = "", .properties = properties}}));
}

void expect_refused(std::string_view body, ReasonCode reason, std::size_t offset,
                    std::string_view what, Answer answer) {
  const auto result = decode_connect(body);
  expect_error(result, reason, offset, what);
  if (result.has_error()) EXPECT_EQ(result.error().answer, answer) << what;
}

TEST(ConnectDecoder, ReadsVersion311) {
  const std::string body = golden("mosquitto_connect_will_311");
  const auto connect = decode_connect(body);
  ASSERT_TRUE(connect.has_value());
  EXPECT_EQ(connect->version, v311);
  EXPECT_TRUE(connect->clean_start);
  EXPECT_EQ(connect->keep_alive, 30s);
  EXPECT_EQ(connect->client_id, "dev1");
  ASSERT_TRUE(connect->will);
  EXPECT_EQ(connect->will->topic, "w/t");
  EXPECT_EQ(connect->will->payload, "gone");
  EXPECT_EQ(connect->will->qos, Qos::at_least_once);
  EXPECT_TRUE(connect->will->retain);
  EXPECT_EQ(connect->username, "user");
  EXPECT_EQ(connect->password, "pass");
  EXPECT_EQ(connect->session_expiry, 0u);
  EXPECT_EQ(connect->receive_maximum, 65'535);
  EXPECT_EQ(connect->maximum_packet_size, 0xFFFF'FFFFu);
  EXPECT_EQ(connect->topic_alias_maximum, 0);
}

TEST(ConnectDecoder, KeepsASessionOf311ThatIsNotClean) {
  const auto connect = decode_connect(golden("mosquitto_connect_persistent_311"));
  ASSERT_TRUE(connect.has_value());
  EXPECT_FALSE(connect->clean_start);
  EXPECT_EQ(connect->session_expiry, kNeverExpires);
  EXPECT_FALSE(connect->will);
  EXPECT_FALSE(connect->username);
  EXPECT_FALSE(connect->password);
}

TEST(ConnectDecoder, ReadsEveryPropertyOfVersion5) {
  const std::string body = golden("mosquitto_connect_everything_5");
  const auto connect = decode_connect(body);
  ASSERT_TRUE(connect.has_value());
  EXPECT_EQ(connect->version, v5);
  EXPECT_EQ(connect->session_expiry, 3600u);
  EXPECT_EQ(connect->receive_maximum, 20);
  EXPECT_EQ(connect->maximum_packet_size, 65'536u);
  EXPECT_EQ(connect->topic_alias_maximum, 10);
  EXPECT_FALSE(connect->request_problem_information);
  EXPECT_FALSE(connect->request_response_information);
  ASSERT_TRUE(connect->will);
  EXPECT_EQ(connect->will->delay, 5s);
  EXPECT_EQ(connect->will->message_expiry, 60u);
  EXPECT_EQ(connect->will->qos, Qos::exactly_once);
  EXPECT_EQ(connect->will->properties.size(), 23u);
  EXPECT_EQ(connect->username, "user");
  EXPECT_EQ(connect->password, "pass");
}

TEST(ConnectDecoder, ReadsAuthentication) {
  const std::string body = golden("connect_authentication_5");
  const auto connect = decode_connect(body);
  ASSERT_TRUE(connect.has_value());
  EXPECT_EQ(connect->authentication_method, "SCRAM-SHA-1");
  EXPECT_EQ(connect->authentication_data, "data");
  EXPECT_TRUE(connect->request_response_information);
}

TEST(ConnectDecoder, AllowsAPasswordAloneInVersion5Only) {
  client::Connect connect{.client_id = "c", .password = "p"};
  const std::string of_5 = body_of(client::encode(connect));
  ASSERT_TRUE(decode_connect(of_5).has_value());
  connect.version = v311;
  expect_refused(body_of(client::encode(connect)), ReasonCode::malformed_packet, 7, "MQTT-3.1.2-22",
                 Answer::close);
}

TEST(ConnectDecoder, AcceptsAPasswordOfAnyBytes) {
  const std::string body = body_of(
      client::encode(client::Connect{.client_id = "c", .username = "u", .password = "\0\xFF"s}));
  const auto connect = decode_connect(body);
  ASSERT_TRUE(connect.has_value());
  EXPECT_EQ(connect->password, "\0\xFF"s);
}

TEST(ConnectVersion, Refuses31InItsOwnForm) {  // recorded from mosquitto_sub -V mqttv31
  expect_refused(from_hex("00064d51497364700302003c00057375623331"),
                 ReasonCode::unsupported_protocol_version, 8, "3.1", Answer::connack_v311);
}

TEST(ConnectVersion, RefusesUnknownLevelsInTheNearestForm) {
  const auto level = [](const char* hex) { return from_hex("00044d515454" + std::string{hex}); };
  const auto reason = ReasonCode::unsupported_protocol_version;
  expect_refused(level("00"), reason, 6, "MQTT-3.1.2-2", Answer::connack_v311);
  expect_refused(level("03"), reason, 6, "MQTT-3.1.2-2", Answer::connack_v311);
  expect_refused(level("84"), reason, 6, "MQTT-3.1.2-2", Answer::connack_v311);  // a bridge
  expect_refused(level("06"), reason, 6, "MQTT-3.1.2-2", Answer::connack_v5);
  expect_refused(level("85"), reason, 6, "MQTT-3.1.2-2", Answer::connack_v5);
  expect_refused(level("ff"), reason, 6, "MQTT-3.1.2-2", Answer::connack_v5);
}

TEST(ConnectVersion, ClosesOnOtherProtocols) {
  expect_refused(from_hex("00044d51545804"), ReasonCode::unsupported_protocol_version, 0,
                 "MQTT-3.1.2-1", Answer::close);
  expect_refused(from_hex("00044d5154"), ReasonCode::malformed_packet, 2, "past the end",
                 Answer::close);
  expect_refused("", ReasonCode::malformed_packet, 0, "past the end", Answer::close);
}

TEST(ConnectDecoder, RefusesBadFlags) {
  const auto flags = [](ProtocolVersion version, const char* hex) {
    return version == v5 ? from_hex("00044d51545405" + std::string{hex} + "003c 00 000163")
                         : from_hex("00044d51545404" + std::string{hex} + "003c 000163");
  };
  for (const auto& [hex, what] :
       {std::pair{"03", "MQTT-3.1.2-3"}, std::pair{"0a", "MQTT-3.1.2-11"},
        std::pair{"22", "MQTT-3.1.2-13"}, std::pair{"1e", "MQTT-3.1.2-12"}}) {
    expect_refused(flags(v5, hex), ReasonCode::malformed_packet, 7, what, Answer::connack_v5);
    expect_refused(flags(v311, hex), ReasonCode::malformed_packet, 7, what, Answer::close);
  }
}

TEST(ConnectDecoder, RefusesWhatRunsPastTheEndOrIsLeftOver) {
  const std::string body = golden("mosquitto_connect_everything_5");
  for (std::size_t bytes = 7; bytes < body.size(); ++bytes) {
    const auto result = decode_connect(std::string_view{body}.substr(0, bytes));
    ASSERT_TRUE(result.has_error()) << bytes;
    EXPECT_EQ(result.error().reason, ReasonCode::malformed_packet);
    EXPECT_EQ(result.error().answer, Answer::connack_v5);
  }
  expect_refused(body + "x", ReasonCode::malformed_packet, body.size(), "left over",
                 Answer::connack_v5);
}

TEST(ConnectDecoder, RefusesBadStrings) {
  client::Connect connect{.client_id = "\xFF"};
  expect_refused(body_of(client::encode(connect)), ReasonCode::malformed_packet, 11, "MQTT-1.5.4-1",
                 Answer::connack_v5);
  connect = {.client_id = "c", .username = "\0"s};
  expect_refused(body_of(client::encode(connect)), ReasonCode::malformed_packet, 14, "MQTT-1.5.4-1",
                 Answer::connack_v5);
  for (const auto& topic : {""s, "a/+"s, "#"s, "\xC0\x80"s, "\0"s}) {
    expect_refused(will_with({}, topic), ReasonCode::malformed_packet, 15, "MQTT-3.1.3-11",
                   Answer::connack_v5);
  }
}

TEST(ConnectDecoder, RefusesForbiddenProperties) {
  const auto refuses = [](const P& properties, ReasonCode reason, std::string_view what) {
    expect_refused(connect_with(properties), reason, 11, what, Answer::connack_v5);
  };
  const auto wrong = ReasonCode::protocol_error;
  refuses(P{}.u16(receive_maximum, 0), wrong, "3.1.2.11.3");
  refuses(P{}.u32(maximum_packet_size, 0), wrong, "3.1.2.11.4");
  refuses(P{}.u8(request_problem_information, 2), wrong, "0 or 1");
  refuses(P{}.u8(request_response_information, 0xFF), wrong, "0 or 1");
  refuses(P{}.text(authentication_data, "d"), wrong, "3.1.2.11.10");
  for (const P& other :
       {P{}.u16(topic_alias, 1), P{}.u32(will_delay_interval, 1), P{}.text(content_type, "c"),
        P{}.varint(subscription_identifier, 1), P{}.text(assigned_client_identifier, "c"),
        P{}.u16(server_keep_alive, 1), P{}.text(reason_string, "r"), P{}.u8(maximum_qos, 1)}) {
    refuses(other, ReasonCode::malformed_packet, "2.2.2.2");
  }
}

TEST(ConnectDecoder, RefusesPropertiesThatArePresentTwice) {
  for (const P& once :
       {P{}.u32(session_expiry_interval, 1), P{}.u16(receive_maximum, 1),
        P{}.u32(maximum_packet_size, 99), P{}.u16(topic_alias_maximum, 1),
        P{}.u8(request_response_information, 1), P{}.u8(request_problem_information, 1),
        P{}.text(authentication_method, "m")}) {
    expect_refused(connect_with(P{once}.raw(once.bytes())), ReasonCode::protocol_error,
                   11 + once.bytes().size(), "twice", Answer::connack_v5);
  }
  const P delay = P{}.u32(will_delay_interval, 1);
  expect_refused(will_with(P{delay}.raw(delay.bytes())), ReasonCode::protocol_error, 20, "twice",
                 Answer::connack_v5);
}

TEST(ConnectDecoder, RefusesForbiddenWillProperties) {
  expect_refused(will_with(P{}.u16(topic_alias, 1)), ReasonCode::malformed_packet, 15, "2.2.2.2",
                 Answer::connack_v5);
  expect_refused(will_with(P{}.u32(session_expiry_interval, 1)), ReasonCode::malformed_packet, 15,
                 "2.2.2.2", Answer::connack_v5);
  expect_refused(will_with(P{}.u8(payload_format_indicator, 7)), ReasonCode::protocol_error, 15,
                 "0 or 1", Answer::connack_v5);
}

TEST(ConnectDecoder, AsksA311ClientWithoutIdForACleanSession) {  // [MQTT-3.1.3-8]
  client::Connect connect{.version = v311, .client_id = "", .clean_start = false};
  expect_refused(body_of(client::encode(connect)), ReasonCode::client_identifier_not_valid, 10,
                 "MQTT-3.1.3-8", Answer::connack_v311);
  connect.version = v5;
  EXPECT_TRUE(decode_connect(body_of(client::encode(connect))).has_value());
}

TEST(ConnackEncoder, WritesVersion311) {
  const auto connack = [](const Connack& fields) {
    std::string out;
    append_connack(out, v311, fields);
    return to_hex(out);
  };
  EXPECT_EQ(connack({}), "20020000");
  EXPECT_EQ(connack({.session_present = true}), "20020100");
  EXPECT_EQ(connack({.session_present = true, .reason = ReasonCode::not_authorized}), "20020005");
  EXPECT_EQ(connack({.reason = ReasonCode::unsupported_protocol_version}), "20020001");
  EXPECT_EQ(connack({.reason = ReasonCode::protocol_error}), "");  // no code for it: just close
}

TEST(ConnackEncoder, LeavesDefaultsOutInVersion5) {
  std::string out;
  append_connack(out, v5, {});
  EXPECT_EQ(to_hex(out), "2003000000");
  out.clear();
  append_connack(out, v5,
                 {.session_present = true, .reason = ReasonCode::unsupported_protocol_version});
  EXPECT_EQ(to_hex(out), "2003008400");
}

TEST(ConnackEncoder, WritesEveryPropertyOfVersion5) {
  std::string out;
  append_connack(out, v5,
                 {.session_present = true,
                  .session_expiry = 0,
                  .receive_maximum = 100,
                  .maximum_qos = Qos::at_least_once,
                  .retain_available = false,
                  .maximum_packet_size = 1'048'576,
                  .assigned_client_id = "auto-1",
                  .topic_alias_maximum = 16,
                  .reason_string = "welcome",
                  .wildcard_subscriptions_available = false,
                  .subscription_identifiers_available = false,
                  .shared_subscriptions_available = false,
                  .server_keep_alive = 120s});
  const auto connack = client::decode_connack(v5, body_of(out));
  ASSERT_TRUE(connack.has_value());
  EXPECT_TRUE(connack->session_present);
  EXPECT_EQ(connack->code, 0);
  EXPECT_THAT(connack->properties.numbers,
              testing::ElementsAre(
                  testing::Pair(session_expiry_interval, 0), testing::Pair(server_keep_alive, 120),
                  testing::Pair(receive_maximum, 100), testing::Pair(topic_alias_maximum, 16),
                  testing::Pair(maximum_qos, 1), testing::Pair(retain_available, 0),
                  testing::Pair(maximum_packet_size, 1'048'576),
                  testing::Pair(wildcard_subscription_available, 0),
                  testing::Pair(subscription_identifier_available, 0),
                  testing::Pair(shared_subscription_available, 0)));
  EXPECT_THAT(connack->properties.texts,
              testing::ElementsAre(testing::Pair(assigned_client_identifier, "auto-1"),
                                   testing::Pair(reason_string, "welcome")));
}

// Recorded from mosquitto 2.0.11.
TEST(ConnackEncoder, AgreesWithAnotherBroker) {
  std::string out;
  append_connack(out, v5, {.receive_maximum = 20, .topic_alias_maximum = 10});
  const auto ours = client::decode_connack(v5, body_of(out));
  const auto theirs = client::decode_connack(v5, body_of(from_hex("200900000622000a210014")));
  ASSERT_TRUE(ours.has_value() && theirs.has_value());
  EXPECT_EQ(ours->properties.numbers, theirs->properties.numbers);
  EXPECT_EQ(out.size(), 11u);
}

}  // namespace
}  // namespace hub::mqtt
