#include "broker/mqtt/disconnect_codec.h"

#include "tests/broker/mqtt/codec_test_support.h"

namespace hub::mqtt {
namespace {

using enum ProtocolVersion;

TEST(DisconnectDecoder, ReadsEveryForm) {
  for (const auto version : {v311, v5}) {
    const auto empty = decode_disconnect(version, "");
    ASSERT_TRUE(empty.has_value());
    EXPECT_EQ(empty->reason, ReasonCode::normal_disconnection);
    EXPECT_FALSE(empty->session_expiry);
  }
  const auto with_will = decode_disconnect(v5, from_hex("04"));
  ASSERT_TRUE(with_will.has_value());
  EXPECT_EQ(with_will->reason, ReasonCode::disconnect_with_will_message);
  const std::string body = from_hex("04 0b 1100000007 1f0003627965");  // from mosquitto_sub
  const auto full = decode_disconnect(v5, body);
  ASSERT_TRUE(full.has_value());
  EXPECT_EQ(full->session_expiry, 7u);
  EXPECT_EQ(full->reason_string, "bye");
}

TEST(DisconnectDecoder, RefusesReasonsThatOnlyAServerSends) {  // [MQTT-3.14.2-1]
  const std::string allowed{"\x00\x04\x80\x81\x82\x83\x90\x93\x94\x95\x96\x97\x98\x99", 14};
  for (unsigned code = 0; code <= 0xFF; ++code) {
    const char body = static_cast<char>(code);
    const auto result = decode_disconnect(v5, {&body, 1});
    ASSERT_EQ(result.has_value(), allowed.find(body) != std::string::npos) << code;
    if (!result) expect_error(result, ReasonCode::protocol_error, 0, "MQTT-3.14.2-1");
  }
}

TEST(DisconnectDecoder, RefusesWhatIsMalformed) {
  expect_error(decode_disconnect(v311, from_hex("00")), ReasonCode::malformed_packet, 0,
               "left over");
  expect_error(decode_disconnect(v5, from_hex("0000ff")), ReasonCode::malformed_packet, 2,
               "left over");
  expect_error(decode_disconnect(v5, from_hex("000a 1100000001 1100000001")),
               ReasonCode::protocol_error, 7, "twice");
  expect_error(decode_disconnect(v5, from_hex("0004 1c000161")), ReasonCode::malformed_packet, 2,
               "2.2.2.2");  // Server Reference: from a server only
  expect_error(decode_disconnect(v5, from_hex("0005 11")), ReasonCode::malformed_packet, 2,
               "past the end");
}

TEST(DisconnectEncoder, WritesVersion5Only) {
  std::string out;
  append_disconnect(out, v311, ReasonCode::server_shutting_down, "ignored");
  EXPECT_EQ(out, "");
  append_disconnect(out, v5, ReasonCode::server_shutting_down);
  EXPECT_EQ(to_hex(out), "e0018b");
  out.clear();
  append_disconnect(out, v5, ReasonCode::protocol_error, "why");
  const auto disconnect = client::decode_disconnect(body_of(out));
  ASSERT_TRUE(disconnect.has_value());
  EXPECT_EQ(disconnect->reason, ReasonCode::protocol_error);
  EXPECT_EQ(disconnect->properties.texts.at(PropertyId::reason_string), "why");
}

TEST(AuthDecoder, ReadsEveryForm) {
  const auto empty = decode_auth("");
  ASSERT_TRUE(empty.has_value());
  EXPECT_FALSE(empty->method);
  const std::string body = from_hex("18 0d 150005504c41494e 1600026869");
  const auto full = decode_auth(body);
  ASSERT_TRUE(full.has_value());
  EXPECT_EQ(full->reason, ReasonCode::continue_authentication);
  EXPECT_EQ(full->method, "PLAIN");
  EXPECT_EQ(full->data, "hi");
}

TEST(AuthDecoder, RefusesWhatIsMalformed) {
  expect_error(decode_auth(from_hex("87 00")), ReasonCode::protocol_error, 0, "MQTT-3.15.2-1");
  expect_error(decode_auth(from_hex("18")), ReasonCode::malformed_packet, 1, "past the end");
  expect_error(decode_auth(from_hex("18 00 00")), ReasonCode::malformed_packet, 2, "left over");
  expect_error(decode_auth(from_hex("18 03 230001")), ReasonCode::malformed_packet, 2, "2.2.2.2");
}

}  // namespace
}  // namespace hub::mqtt
