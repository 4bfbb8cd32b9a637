#pragma once

#include <cstdint>

#include "base/message.h"
#include "broker/mqtt/packet_id.h"
#include "broker/session/packet_id_table.h"

namespace hub::broker {

// The receiver's half of a session's QoS 1 and 2 flows (MQTT 5.0 section 4.3): which of the
// client's packet ids are in use, and how far each flow has come. No I/O, no clock.
//
//   QoS 1   PUBLISH → pending → (commit) PUBACK, id is free
//   QoS 2   PUBLISH → pending → (commit) PUBREC → recorded → PUBREL → releasing → (commit) PUBCOMP
//
// A flow is durable when its id has to survive a crash with the row that it guards.
//
// What a flow is owed goes only over a connection that asked for it, by the packet or its resend.
// A client that is back sends again all that was not acknowledged (section 4.4). Were an
// acknowledgement to overtake that resend, the client would give the id to its next message while
// the resend takes it here, and that message would be taken for the resend: acknowledged and lost.
class InboundFlows {
 public:
  enum class Arrival : std::uint8_t {
    fresh,                    // a new message: take it, then call begin()
    acknowledgement_pending,  // a resend of a message that is not yet acknowledged: ignore it
    recorded,                 // a resend after PUBREC: answer PUBREC again [MQTT-4.3.3-10]
    packet_id_in_use,         // the id belongs to another flow: reason code 0x91
  };
  // At QoS 1 a message without DUP is a new one, although its id be in use: the client has
  // forgotten the other, as one that has lost its session. At QoS 2 the id alone counts
  // [MQTT-4.3.3-10].
  [[nodiscard]] Arrival arrival(PacketId id, Qos qos, bool dup);

  // A fresh message whose acknowledgement cannot go at once, or any at QoS 2. With an id that is in
  // use, the acknowledgement goes once it is due for all that have it.
  void begin(PacketId id, Qos qos, bool durable);

  // The connection is gone that the packets came over.
  void connection_lost();

  // PUBACK is due: the id is free, unless a later message has it. True when it is to be sent.
  bool puback(PacketId id);
  // PUBREC is due. True when it is to be sent: not when the flow is gone or further along already.
  bool pubrec(PacketId id);

  enum class Release : std::uint8_t {
    free_now,      // call pubcomp() and answer PUBCOMP
    after_commit,  // the id is durable: PUBCOMP waits until its removal has committed
    waiting,       // a resend of a PUBREL whose PUBCOMP already waits
    unknown,       // no such id: PUBCOMP with reason code 0x92
  };
  // PUBREL arrived.
  [[nodiscard]] Release release(PacketId id);
  // PUBCOMP is due: the id is free. True when it is to be sent.
  bool pubcomp(PacketId id);

  // Flows that count against the receive maximum (section 4.9).
  [[nodiscard]] std::size_t size() const noexcept { return flows_.size(); }

  // Calls f(PacketId) for each durable id that a resend must still find. Order: none.
  template <class F>
  void for_each_durable(F f) const {
    flows_.for_each([&f](PacketId id, const Flow& flow) {
      if (flow.durable && flow.state != State::qos2_releasing) f(id);
    });
  }
  // A durable id of a session that is taken up again after a restart: its row has committed.
  void restore(PacketId id) { flows_.insert(id, {State::qos2_recorded, true, false, 0}); }

 private:
  enum class State : std::uint8_t { qos1_pending, qos2_pending, qos2_recorded, qos2_releasing };
  struct Flow {
    State state : 2;
    bool durable : 1;
    bool asked : 1;                  // the client that is connected now waits for the answer
    std::uint8_t others_before : 4;  // QoS 1: messages with the same id that are pending, too
  };
  static constexpr std::uint8_t kMostOthers = 15;
  bool finish(PacketId id);

  PacketIdTable<Flow> flows_;
};

}  // namespace hub::broker
