#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/message.h"
#include "broker/mqtt/packet_id.h"

namespace hub::broker {

using mqtt::PacketId;

// One message for one subscriber.
struct Delivery {
  MessageRef message;
  Qos qos = Qos::at_most_once;  // as delivered: never above the subscription's
  bool retain = false;
  std::vector<std::uint32_t> subscription_ids;  // section 3.3.2.3.8; mostly none
};

// The sender's half of a session's QoS 1 and 2 flows (MQTT 5.0 section 4.3): what is in flight,
// and what waits for the client's receive maximum or for its return. No I/O, no clock.
class OutboundFlows {
 public:
  enum class State : std::uint8_t { awaiting_ack, awaiting_pubcomp, done };
  struct Flow {
    PacketId id;
    State state;
    bool to_resend;     // next_resend() has yet to give it
    Delivery delivery;  // its message is dropped once PUBREC has come
  };

  // send_quota: the lower of the client's receive maximum and the hub's own bound.
  void set_send_quota(std::uint16_t send_quota) noexcept { send_quota_ = send_quota; }

  // Whether one more flow may start: the quota is not used up, and nothing older waits.
  [[nodiscard]] bool can_send() const noexcept { return !waiting() && has_quota(); }
  // REQUIRES has quota. The returned flow is valid until the next call.
  const Flow& start(Delivery delivery);

  // Appends to the queue. The caller checks queued() and queued_bytes() against its bounds first.
  void enqueue(Delivery delivery);
  // Starts the oldest queued delivery; nullptr when there is none, or no quota, or when something
  // is to be sent again first.
  const Flow* start_next();
  [[nodiscard]] const Delivery* next_queued() const {
    return queue_.empty() ? nullptr : &queue_.front();
  }
  void drop_next_queued();

  // Each false when no flow with that id is in that state.
  bool puback(PacketId id);   // QoS 1 done
  bool pubrec(PacketId id);   // answer PUBREL; also true for a resent PUBREC
  bool refuse(PacketId id);   // PUBREC with an error: QoS 2 done [MQTT-4.3.3-4]
  bool pubcomp(PacketId id);  // QoS 2 done

  // The client has come back: what it has not acknowledged is to be sent again [MQTT-4.4.0-1].
  // Calls release(PacketId) for each PUBREL, in their order; next_resend() gives each PUBLISH.
  template <class F>
  void resume(F release) {
    to_resend_ = 0;
    for (Flow& flow : window_) {
      flow.to_resend = flow.state == State::awaiting_ack;
      to_resend_ += flow.to_resend ? 1 : 0;
      if (flow.state == State::awaiting_pubcomp) release(flow.id);
    }
    if (!window_.empty()) next_resend_ = window_.front().id.value();
  }
  // The oldest PUBLISH to send again; nullptr when there is none, or no quota: the client may have
  // come back with a lower receive maximum [MQTT-3.3.4-9]. Valid until the next call.
  const Flow* next_resend();

  // Whether next_resend() or start_next() have something, once there is quota.
  [[nodiscard]] bool waiting() const noexcept { return to_resend_ > 0 || !queue_.empty(); }
  [[nodiscard]] std::size_t queued() const noexcept { return queue_.size(); }
  [[nodiscard]] std::size_t queued_bytes() const noexcept { return queued_bytes_; }
  [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }
  [[nodiscard]] bool empty() const noexcept { return in_flight_ == 0 && queue_.empty(); }

 private:
  // Ids are given in sequence and a window is never longer, so that an id is an index.
  static constexpr std::size_t kMaxWindow = 65'000;

  [[nodiscard]] bool has_quota() const noexcept {
    return in_flight_ - to_resend_ < send_quota_ && window_.size() < kMaxWindow;
  }
  [[nodiscard]] std::size_t offset_of(std::uint16_t id) const noexcept;  // window_.size(): gone
  Flow* find(PacketId id);
  void not_to_resend(Flow& flow) noexcept;
  void finish(Flow& flow);
  bool finish_if(PacketId id, State state, Qos qos);

  std::deque<Flow> window_;  // ids without a gap; begins with a flow that is not done
  std::deque<Delivery> queue_;
  std::size_t queued_bytes_ = 0;
  std::uint16_t next_id_ = 1;
  std::uint16_t send_quota_ = 65'535;
  std::uint16_t in_flight_ = 0;
  std::uint16_t to_resend_ = 0;
  std::uint16_t next_resend_ = 1;  // no older flow is to be sent again
};

}  // namespace hub::broker
