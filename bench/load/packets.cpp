#include "bench/load/packets.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace hub::bench {
namespace {

void append_u16(std::string& out, std::size_t value) {
  out += static_cast<char>(value >> 8 & 0xFF);
  out += static_cast<char>(value & 0xFF);
}

void append_packet(std::string& out, unsigned first_byte, std::string_view body) {
  out += static_cast<char>(first_byte);
  append_remaining_length(out, body.size());
  out += body;
}

constexpr unsigned kConnect = 0x10;
constexpr unsigned kSubscribe = 0x82;
constexpr char kSessionExpiryProperty = 0x11;

// Reads from the front of a body; any read past its end makes the whole reader bad.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  std::uint8_t u8() { return take(1) ? static_cast<std::uint8_t>(taken_[0]) : std::uint8_t{0}; }
  std::uint16_t u16() {
    const unsigned high = u8();
    return static_cast<std::uint16_t>(high << 8 | u8());
  }
  std::uint32_t variable() {
    std::uint32_t value = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
      const std::uint8_t byte = u8();
      value |= static_cast<std::uint32_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    good_ = false;
    return 0;
  }
  std::string_view bytes(std::size_t count) { return take(count) ? taken_ : std::string_view{}; }
  std::string_view string() { return bytes(u16()); }

  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] std::string_view rest() const { return bytes_; }

 private:
  bool take(std::size_t count) {
    if (!good_ || bytes_.size() < count) return good_ = false;
    taken_ = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return true;
  }

  std::string_view bytes_;
  std::string_view taken_;
  bool good_ = true;
};

// Steps over the value of a property (MQTT 5.0 section 2.2.2.2); false for an unknown one.
bool skip_property(Reader& reader, std::uint8_t id) {
  switch (id) {
    case 0x01:
    case 0x17:
    case 0x19:
    case 0x24:
    case 0x25:
    case 0x28:
    case 0x29:
    case 0x2A:
      reader.u8();
      return true;
    case 0x13:
    case 0x21:
    case 0x22:
    case 0x23:
      reader.u16();
      return true;
    case 0x02:
    case 0x11:
    case 0x18:
    case 0x27:
      reader.bytes(4);
      return true;
    case 0x0B:
      reader.variable();
      return true;
    case 0x26:
      reader.string();
      reader.string();
      return true;
    case 0x03:
    case 0x08:
    case 0x09:
    case 0x12:
    case 0x15:
    case 0x16:
    case 0x1A:
    case 0x1C:
    case 0x1F:
      reader.string();
      return true;
    default:
      return false;
  }
}

}  // namespace

void append_remaining_length(std::string& out, std::size_t length) {
  do {
    const std::size_t digit = length & 0x7F;
    length >>= 7;
    out += static_cast<char>(length == 0 ? digit : digit | 0x80);
  } while (length != 0);
}

void append_string(std::string& out, std::string_view text) {
  append_u16(out, text.size());
  out += text;
}

void append_connect(std::string& out, const ConnectFields& fields) {
  std::string body;
  append_string(body, "MQTT");
  body += static_cast<char>(fields.version);
  unsigned flags = fields.clean_start ? 0x02 : 0x00;
  if (!fields.username.empty()) flags |= 0x80;
  if (!fields.password.empty()) flags |= 0x40;
  body += static_cast<char>(flags);
  append_u16(body, fields.keep_alive_seconds);
  if (fields.version == MqttVersion::v5) {
    if (fields.session_expiry_seconds == 0) {
      body += '\0';
    } else {
      body += '\5';
      body += kSessionExpiryProperty;
      append_u16(body, fields.session_expiry_seconds >> 16);
      append_u16(body, fields.session_expiry_seconds & 0xFFFF);
    }
  }
  append_string(body, fields.client_id);
  if (!fields.username.empty()) append_string(body, fields.username);
  if (!fields.password.empty()) append_string(body, fields.password);
  append_packet(out, kConnect, body);
}

void append_subscribe(std::string& out, MqttVersion version, std::uint16_t packet_id,
                      std::string_view filter, std::uint8_t qos) {
  std::string body;
  append_u16(body, packet_id);
  if (version == MqttVersion::v5) body += '\0';
  append_string(body, filter);
  body += static_cast<char>(qos);
  append_packet(out, kSubscribe, body);
}

void append_ack(std::string& out, PacketType type, std::uint16_t packet_id) {
  const unsigned flags = type == PacketType::pubrel ? 0x02 : 0x00;
  out += static_cast<char>(static_cast<unsigned>(type) << 4 | flags);
  out += '\2';
  append_u16(out, packet_id);
}

bool PacketScanner::long_length(std::size_t& length, std::size_t& header) noexcept {
  length = 0;
  for (std::size_t digit = 0; digit < 4; ++digit) {
    if (end_ - at_ < static_cast<std::ptrdiff_t>(digit + 2)) return false;
    const auto byte = static_cast<unsigned char>(at_[digit + 1]);
    length |= static_cast<std::size_t>(byte & 0x7F) << (7 * digit);
    if (byte < 0x80) {
      header = digit + 2;
      return true;
    }
  }
  malformed_ = true;
  return false;
}

std::optional<Connack> parse_connack(std::string_view body, MqttVersion version) {
  Reader reader{body};
  Connack connack;
  reader.u8();  // session present
  connack.reason = reader.u8();
  if (version == MqttVersion::v5 && !reader.rest().empty()) {
    Reader properties{reader.bytes(reader.variable())};
    while (properties.good() && !properties.rest().empty()) {
      const std::uint8_t id = properties.u8();
      if (id == 0x21) {
        connack.receive_maximum = properties.u16();
      } else if (id == 0x24) {
        connack.maximum_qos = properties.u8();
      } else if (!skip_property(properties, id)) {
        return std::nullopt;
      }
    }
    if (!properties.good()) return std::nullopt;
  }
  if (!reader.good()) return std::nullopt;
  return connack;
}

std::optional<std::uint8_t> parse_suback(std::string_view body, MqttVersion version) {
  Reader reader{body};
  reader.u16();
  if (version == MqttVersion::v5) reader.bytes(reader.variable());
  if (!reader.good() || reader.rest().empty()) return std::nullopt;
  return static_cast<std::uint8_t>(reader.rest().back());
}

std::optional<Delivery> parse_delivery(const Packet& packet, MqttVersion version) noexcept {
  Delivery delivery;
  delivery.qos = packet.flags >> 1 & 0x03;
  delivery.dup = (packet.flags & 0x08) != 0;
  Reader reader{packet.body};
  delivery.topic = reader.string();
  if (delivery.qos > 0) delivery.packet_id = reader.u16();
  if (version == MqttVersion::v5) reader.bytes(reader.variable());
  if (!reader.good()) return std::nullopt;
  delivery.payload = reader.rest();
  return delivery;
}

std::string reason_name(std::uint8_t reason) {
  static constexpr std::array<std::pair<std::uint8_t, std::string_view>, 28> kNames{{
      {0x01, "unacceptable protocol version"},
      {0x02, "identifier rejected"},
      {0x03, "server unavailable"},
      {0x04, "bad user name or password"},
      {0x05, "not authorized"},
      {0x80, "unspecified error"},
      {0x81, "malformed packet"},
      {0x82, "protocol error"},
      {0x83, "implementation specific error"},
      {0x84, "unsupported protocol version"},
      {0x85, "client identifier not valid"},
      {0x86, "bad user name or password"},
      {0x87, "not authorized"},
      {0x88, "server unavailable"},
      {0x89, "server busy"},
      {0x8B, "server shutting down"},
      {0x8D, "keep alive timeout"},
      {0x8E, "session taken over"},
      {0x8F, "topic filter invalid"},
      {0x90, "topic name invalid"},
      {0x91, "packet identifier in use"},
      {0x92, "packet identifier not found"},
      {0x93, "receive maximum exceeded"},
      {0x95, "packet too large"},
      {0x96, "message rate too high"},
      {0x97, "quota exceeded"},
      {0x99, "payload format invalid"},
      {0x9B, "QoS not supported"},
  }};
  for (const auto& [code, name] : kNames) {
    if (code == reason) return std::string{name};
  }
  return fmt::format("reason 0x{:02x}", reason);
}

}  // namespace hub::bench
