#include "tests/support/mqtt_golden_packets.h"

#include <stdexcept>

#include "broker/mqtt/ack_codec.h"
#include "broker/mqtt/connect_codec.h"
#include "broker/mqtt/disconnect_codec.h"
#include "broker/mqtt/publish_codec.h"
#include "broker/mqtt/subscribe_codec.h"

namespace hub::mqtt {
namespace {

using enum ProtocolVersion;

constexpr GoldenPacket kGolden[] = {
    {"mosquitto_connect_will_311", v311,
     "102700044d51545404ee001e0004646576310003772f740004676f6e65000475736572000470617373"},
    {"mosquitto_connect_persistent_311", v311, "101000044d5154540400003c000464657631"},
    {"connect_no_id_311", v311, "100c00044d5154540402000a0000"},
    {"mosquitto_publish_qos1_311", v311,
     "32220014646576696365732f64312f74656c656d6574727900017b2274223a32312e357d"},
    {"mosquitto_publish_qos2_retain_311", v311, "35090003612f6200016869"},
    {"publish_qos0_311", v311, "30070003612f626869"},
    {"publish_empty_payload_dup_311", v311, "3a070003612f62ffff"},
    {"mosquitto_subscribe_311", v311, "820a00010005612f2b2f2302"},
    {"subscribe_two_311", v311, "820e00020003612f62000003632f2b01"},
    {"mosquitto_unsubscribe_311", v311, "a20700020003782f79"},
    {"puback_311", v311, "40020001"},
    {"pubrec_311", v311, "50020001"},
    {"mosquitto_pubrel_311", v311, "62020001"},
    {"pubcomp_311", v311, "70020001"},
    {"pingreq_311", v311, "c000"},
    {"mosquitto_disconnect_311", v311, "e000"},
    {"mosquitto_connect_everything_5", v5,
     "105900044d51545405d6003c191100000e10210014270001000022000a17002600016b0001760004646576"
     "35171800000005020000003c03000a746578742f706c61696e0003772f740004676f6e6500047573657200"
     "0470617373"},
    {"mosquitto_connect_persistent_5", v5,
     "101900044d51545405000 03c081100000064210014000473756235"},
    {"connect_authentication_5", v5,
     "102600044d515454050200001915000b534352414d2d5348412d311600046461746117011901"
     "00 00"},
    {"mosquitto_publish_properties_5", v5,
     "325b0014646576696365732f64312f74656c656d657472790001380101020000012c0300106170706c6963"
     "6174696f6e2f6a736f6e08000472652f3109000378797a26000161000162260001610001632300037b2274"
     "223a32312e357d"},
    {"publish_qos1_5", v5,
     "32230014646576696365732f64312f74656c656d657472790001007b2274223a32312e357d"},
    {"publish_qos0_alias_only_5", v5, "30080000032300016869"},
    {"publish_qos2_5", v5, "34080003612f62000a00"},
    {"mosquitto_subscribe_5", v5,
     "822200010a0bac022600016b0001760005612f2b2f2309000a2473686172652f672f6209"},
    {"subscribe_all_options_5", v5, "820700020000012 32e"},
    {"mosquitto_unsubscribe_5", v5, "a20f0002072600016b0001760003782f79"},
    {"puback_5", v5, "40020001"},
    {"puback_reason_5", v5, "4003000110"},
    {"puback_properties_5", v5, "400f0001970b1f0003627573260000 0000"},
    {"pubrec_reason_5", v5, "5003000180"},
    {"pubrel_reason_5", v5, "6203000192"},
    {"pubcomp_empty_properties_5", v5, "70040001 0000"},
    {"pingreq_5", v5, "c000"},
    {"disconnect_5", v5, "e000"},
    {"mosquitto_disconnect_will_5", v5, "e00104"},
    {"mosquitto_disconnect_properties_5", v5, "e00d040b11000000071f0003627965"},
    {"auth_5", v5, "f0101 80e15000650 4c41494e 4f 160002 6869"},
    {"auth_empty_5", v5, "f000"},
};

template <class Result>
std::optional<DecodeError> error_of(const Result& result) {
  if (result.has_value()) return std::nullopt;
  return result.error();
}

unsigned nibble(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<unsigned>(digit - '0');
  if (digit >= 'a' && digit <= 'f') return static_cast<unsigned>(digit - 'a' + 10);
  throw std::invalid_argument("not a hexadecimal digit");
}

}  // namespace

std::string from_hex(std::string_view hex) {
  std::string digits;
  for (const char c : hex) {
    if (c != ' ') digits += c;
  }
  if (digits.size() % 2 != 0) throw std::invalid_argument("an odd number of hexadecimal digits");
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    bytes += static_cast<char>(nibble(digits[i]) << 4 | nibble(digits[i + 1]));
  }
  return bytes;
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 0x0F];
  }
  return hex;
}

std::string GoldenPacket::bytes() const { return from_hex(hex); }

std::span<const GoldenPacket> golden_packets() { return kGolden; }

std::optional<DecodeError> decode_client_packet(ProtocolVersion version, PacketType type,
                                                std::uint8_t flags, std::string_view body) {
  switch (type) {
    case PacketType::connect:
      return error_of(decode_connect(body));
    case PacketType::publish:
      return error_of(decode_publish(version, flags, body));
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubrel:
    case PacketType::pubcomp:
      return error_of(decode_ack(version, type, body));
    case PacketType::subscribe:
      return error_of(decode_subscribe(version, body));
    case PacketType::unsubscribe:
      return error_of(decode_unsubscribe(version, body));
    case PacketType::pingreq:
      return error_of(decode_pingreq(body));
    case PacketType::disconnect:
      return error_of(decode_disconnect(version, body));
    case PacketType::auth:
      return error_of(decode_auth(body));
    default:
      return DecodeError{ReasonCode::protocol_error, 0, "a packet that only a server sends"};
  }
}

}  // namespace hub::mqtt
