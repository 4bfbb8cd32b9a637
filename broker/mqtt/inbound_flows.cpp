#include "broker/mqtt/inbound_flows.h"

namespace hub::mqtt {

InboundFlows::Arrival InboundFlows::arrival(PacketId id, Qos qos) {
  const auto found = flows_.find(id.value());
  if (found == flows_.end()) return Arrival::fresh;
  Flow& flow = found->second;
  switch (flow.state) {
    case State::qos1_pending:
      if (qos != Qos::at_least_once) return Arrival::packet_id_in_use;
      flow.asked = true;
      return Arrival::acknowledgement_pending;
    case State::qos2_pending:
      if (qos != Qos::exactly_once) return Arrival::packet_id_in_use;
      flow.asked = true;
      return Arrival::acknowledgement_pending;
    case State::qos2_recorded:
      return qos == Qos::exactly_once ? Arrival::recorded : Arrival::packet_id_in_use;
    case State::qos2_releasing:
      return Arrival::packet_id_in_use;
  }
  return Arrival::packet_id_in_use;
}

void InboundFlows::begin(PacketId id, Qos qos, bool durable) {
  const State state = qos == Qos::exactly_once ? State::qos2_pending : State::qos1_pending;
  flows_[id.value()] = {state, durable, true};
}

void InboundFlows::connection_lost() {
  for (auto& [id, flow] : flows_) flow.asked = false;
}

bool InboundFlows::finish(PacketId id) {
  const auto found = flows_.find(id.value());
  if (found == flows_.end()) return false;
  const bool asked = found->second.asked;
  flows_.erase(found);
  return asked;
}

bool InboundFlows::puback(PacketId id) { return finish(id); }
bool InboundFlows::pubcomp(PacketId id) { return finish(id); }

bool InboundFlows::pubrec(PacketId id) {
  const auto found = flows_.find(id.value());
  if (found == flows_.end() || found->second.state != State::qos2_pending) return false;
  found->second.state = State::qos2_recorded;
  return found->second.asked;
}

InboundFlows::Release InboundFlows::release(PacketId id) {
  const auto found = flows_.find(id.value());
  if (found == flows_.end() || found->second.state == State::qos1_pending) return Release::unknown;
  found->second.asked = true;
  if (found->second.state == State::qos2_releasing) return Release::waiting;
  found->second.state = State::qos2_releasing;
  return found->second.durable ? Release::after_commit : Release::free_now;
}

}  // namespace hub::mqtt
