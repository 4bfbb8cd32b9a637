#include "broker/mqtt/inbound_flows.h"

namespace hub::mqtt {

InboundFlows::Arrival InboundFlows::arrival(PacketId id, Qos qos) const {
  const auto found = flows_.find(id.value());
  if (found == flows_.end()) return Arrival::fresh;
  switch (found->second.state) {
    case State::qos1_pending:
      return qos == Qos::at_least_once ? Arrival::acknowledgement_pending
                                       : Arrival::packet_id_in_use;
    case State::qos2_pending:
      return qos == Qos::exactly_once ? Arrival::acknowledgement_pending
                                      : Arrival::packet_id_in_use;
    case State::qos2_recorded:
      return qos == Qos::exactly_once ? Arrival::recorded : Arrival::packet_id_in_use;
    case State::qos2_releasing:
      return Arrival::packet_id_in_use;
  }
  return Arrival::packet_id_in_use;
}

void InboundFlows::begin(PacketId id, Qos qos, bool durable) {
  const State state = qos == Qos::exactly_once ? State::qos2_pending : State::qos1_pending;
  flows_[id.value()] = {state, durable};
}

bool InboundFlows::pubrec(PacketId id) {
  const auto found = flows_.find(id.value());
  if (found == flows_.end() || found->second.state != State::qos2_pending) return false;
  found->second.state = State::qos2_recorded;
  return true;
}

InboundFlows::Release InboundFlows::release(PacketId id) {
  const auto found = flows_.find(id.value());
  if (found == flows_.end() || found->second.state == State::qos1_pending) return Release::unknown;
  if (found->second.state == State::qos2_releasing) return Release::waiting;
  found->second.state = State::qos2_releasing;
  return found->second.durable ? Release::after_commit : Release::free_now;
}

}  // namespace hub::mqtt
