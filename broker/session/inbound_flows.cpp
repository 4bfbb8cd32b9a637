#include "broker/session/inbound_flows.h"

namespace hub::broker {

InboundFlows::Arrival InboundFlows::arrival(PacketId id, Qos qos, bool dup) {
  Flow* const flow = flows_.find(id);
  if (flow == nullptr) return Arrival::fresh;
  switch (flow->state) {
    case State::qos1_pending:
      if (qos != Qos::at_least_once) return Arrival::packet_id_in_use;
      if (!dup) {
        return flow->others_before < kMostOthers ? Arrival::fresh : Arrival::packet_id_in_use;
      }
      flow->asked = true;
      return Arrival::acknowledgement_pending;
    case State::qos2_pending:
      if (qos != Qos::exactly_once) return Arrival::packet_id_in_use;
      flow->asked = true;
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
  if (Flow* const flow = flows_.find(id)) {  // see arrival()
    ++flow->others_before;
    flow->asked = true;
    return;
  }
  flows_.insert(id, {state, durable, true, 0});
}

void InboundFlows::connection_lost() {
  flows_.for_each([](PacketId, Flow& flow) { flow.asked = false; });
}

bool InboundFlows::finish(PacketId id) {
  const Flow* const flow = flows_.find(id);
  if (flow == nullptr) return false;
  const bool asked = flow->asked;
  flows_.erase(id);
  return asked;
}

bool InboundFlows::puback(PacketId id) {
  Flow* const flow = flows_.find(id);
  if (flow != nullptr && flow->others_before > 0) {
    --flow->others_before;
    return false;
  }
  return finish(id);
}
bool InboundFlows::pubcomp(PacketId id) { return finish(id); }

bool InboundFlows::pubrec(PacketId id) {
  Flow* const flow = flows_.find(id);
  if (flow == nullptr || flow->state != State::qos2_pending) return false;
  flow->state = State::qos2_recorded;
  return flow->asked;
}

InboundFlows::Release InboundFlows::release(PacketId id) {
  Flow* const flow = flows_.find(id);
  if (flow == nullptr || flow->state == State::qos1_pending) return Release::unknown;
  flow->asked = true;
  if (flow->state == State::qos2_releasing) return Release::waiting;
  flow->state = State::qos2_releasing;
  return flow->durable ? Release::after_commit : Release::free_now;
}

}  // namespace hub::broker
