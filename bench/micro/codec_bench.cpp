// What the codec costs per packet: the packets of a device that publishes 110 bytes of telemetry.

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "broker/mqtt/ack_codec.h"
#include "broker/mqtt/framer.h"
#include "broker/mqtt/property.h"
#include "broker/mqtt/publish_codec.h"
#include "broker/mqtt/wire_writer.h"

namespace hub::mqtt {
namespace {

constexpr std::string_view kTopic = "devices/d-00001234/telemetry";
constexpr std::string_view kPayload =
    R"({"ts":1700000000123,"temperature":21.53,"humidity":40.2,"battery":3.71,)"
    R"("rssi":-67,"seq":123456,"state":"ok"})";

void require(bool condition) {
  if (!condition) std::abort();
}

std::string telemetry(ProtocolVersion version, std::string_view properties = {}) {
  std::string packet;
  const auto encoded = append_publish(
      packet, version,
      {.topic = kTopic, .payload = kPayload, .qos = Qos::at_least_once, .properties = properties});
  patch_packet_id(packet.data(), encoded.packet_id_offset, PacketId{1234});
  return packet;
}

void decode(benchmark::State& state, ProtocolVersion version, const std::string& packet) {
  for (auto _ : state) {
    std::string_view bytes = packet;
    benchmark::DoNotOptimize(bytes);
    const FrameHeader header = peek_frame(bytes, 1 << 20, version);
    const auto publish =
        decode_publish(version, header.flags, bytes.substr(header.header_bytes, header.body_bytes));
    require(publish.has_value() && publish->payload.size() == kPayload.size());
    benchmark::DoNotOptimize(publish->topic.data());
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes"] = static_cast<double>(packet.size());
}

void decode_publish_311(benchmark::State& state) {
  decode(state, ProtocolVersion::v311, telemetry(ProtocolVersion::v311));
}
BENCHMARK(decode_publish_311);

void decode_publish_5(benchmark::State& state) {
  decode(state, ProtocolVersion::v5, telemetry(ProtocolVersion::v5));
}
BENCHMARK(decode_publish_5);

void decode_publish_5_properties(benchmark::State& state) {
  std::string properties;
  append_u32_property(properties, PropertyId::message_expiry_interval, 300);
  append_text_property(properties, PropertyId::content_type, "application/json");
  append_text_property(properties, PropertyId::user_property, "region");
  append_binary(properties, "eu-central");
  decode(state, ProtocolVersion::v5, telemetry(ProtocolVersion::v5, properties));
}
BENCHMARK(decode_publish_5_properties);

void peek_publish(benchmark::State& state) {
  const std::string packet = telemetry(ProtocolVersion::v311);
  for (auto _ : state) {
    std::string_view bytes = packet;
    benchmark::DoNotOptimize(bytes);
    const FrameHeader header = peek_frame(bytes, 1 << 20, ProtocolVersion::v311);
    require(header.packet_bytes() == packet.size());
  }
}
BENCHMARK(peek_publish);

void encode_publish(benchmark::State& state, ProtocolVersion version) {
  std::string out;
  out.reserve(1 << 16);
  const std::size_t wanted = telemetry(version).size();
  for (auto _ : state) {
    if (out.size() > (1 << 15)) out.clear();
    const auto encoded = append_publish(
        out, version, {.topic = kTopic, .payload = kPayload, .qos = Qos::at_least_once});
    require(encoded.packet_bytes == wanted);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK_CAPTURE(encode_publish, 311, ProtocolVersion::v311);
BENCHMARK_CAPTURE(encode_publish, 5, ProtocolVersion::v5);

void encode_puback(benchmark::State& state) {
  std::string out;
  out.reserve(1 << 16);
  for (auto _ : state) {
    if (out.size() > (1 << 15)) out.clear();
    append_ack(out, ProtocolVersion::v5, PacketType::puback, PacketId{1234});
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(encode_puback);

void decode_puback(benchmark::State& state) {
  const std::string body{"\x04\xd2", 2};
  for (auto _ : state) {
    std::string_view bytes = body;
    benchmark::DoNotOptimize(bytes);
    require(decode_ack(ProtocolVersion::v5, PacketType::puback, bytes)->packet_id ==
            PacketId{1234});
  }
}
BENCHMARK(decode_puback);

}  // namespace
}  // namespace hub::mqtt
