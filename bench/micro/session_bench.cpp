// What a session's QoS 1 and 2 flows cost per message, without codec and I/O.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>

#include "broker/session/inbound_flows.h"
#include "broker/session/outbound_flows.h"

namespace hub::broker {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

Delivery delivery() {
  Delivery delivery;
  delivery.qos = Qos::at_least_once;
  return delivery;
}

PacketId id_of(std::uint32_t n) { return PacketId{static_cast<std::uint16_t>(n % 65'000 + 1)}; }

// A publisher keeps `in_flight` messages on their way to their commit.
void inbound_qos1(benchmark::State& state) {
  const auto in_flight = static_cast<std::uint32_t>(state.range(0));
  InboundFlows flows;
  std::uint32_t next = 0;
  for (; next < in_flight; ++next) flows.begin(id_of(next), Qos::at_least_once, true);
  for (auto _ : state) {
    require(flows.arrival(id_of(next), Qos::at_least_once, false) == InboundFlows::Arrival::fresh);
    flows.begin(id_of(next), Qos::at_least_once, true);
    require(flows.puback(id_of(next - in_flight)));
    ++next;
  }
  require(flows.size() == in_flight);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(inbound_qos1)->Arg(1)->Arg(50)->Arg(1'000);

// The whole handshake of a stored message: PUBLISH, PUBREC, PUBREL, PUBCOMP.
void inbound_qos2(benchmark::State& state) {
  const auto in_flight = static_cast<std::uint32_t>(state.range(0));
  InboundFlows flows;
  std::uint32_t next = 0;
  for (; next < in_flight; ++next) flows.begin(id_of(next), Qos::exactly_once, true);
  for (auto _ : state) {
    require(flows.arrival(id_of(next), Qos::exactly_once, false) == InboundFlows::Arrival::fresh);
    flows.begin(id_of(next), Qos::exactly_once, true);
    const PacketId oldest = id_of(next - in_flight);
    require(flows.pubrec(oldest));
    require(flows.release(oldest) == InboundFlows::Release::after_commit);
    require(flows.pubcomp(oldest));
    ++next;
  }
  require(flows.size() == in_flight);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(inbound_qos2)->Arg(1)->Arg(50)->Arg(1'000);

// A subscriber that acknowledges in order, its window full.
void outbound_qos1(benchmark::State& state) {
  const auto in_flight = static_cast<std::uint32_t>(state.range(0));
  OutboundFlows flows;
  PacketId oldest = flows.start(delivery()).id;
  for (std::uint32_t i = 1; i < in_flight; ++i) flows.start(delivery());
  for (auto _ : state) {
    require(flows.puback(oldest));
    oldest = PacketId{static_cast<std::uint16_t>(oldest.value() % 65'535 + 1)};
    benchmark::DoNotOptimize(flows.start(delivery()).id);
  }
  require(flows.in_flight() == in_flight);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(outbound_qos1)->Arg(1)->Arg(50)->Arg(1'000);

}  // namespace
}  // namespace hub::broker
