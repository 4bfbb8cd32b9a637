#include "broker/mqtt/outbound_flows.h"

#include <utility>

namespace hub::mqtt {

const OutboundFlows::Flow& OutboundFlows::start(Delivery delivery) {
  window_.push_back({PacketId{next_id_}, State::awaiting_ack, std::move(delivery)});
  next_id_ = next_id_ == 65'535 ? 1 : static_cast<std::uint16_t>(next_id_ + 1);
  ++in_flight_;
  return window_.back();
}

void OutboundFlows::enqueue(Delivery delivery) {
  queued_bytes_ += delivery.message->bytes();
  queue_.push_back(std::move(delivery));
}

const OutboundFlows::Flow* OutboundFlows::start_next() {
  if (queue_.empty() || !has_quota()) return nullptr;
  Delivery next = std::move(queue_.front());
  queued_bytes_ -= next.message->bytes();
  queue_.pop_front();
  return &start(std::move(next));
}

void OutboundFlows::drop_next_queued() {
  queued_bytes_ -= queue_.front().message->bytes();
  queue_.pop_front();
}

OutboundFlows::Flow* OutboundFlows::find(PacketId id) {
  if (window_.empty()) return nullptr;
  const int first = window_.front().id.value();
  const int offset = (id.value() - first + 65'535) % 65'535;
  return static_cast<std::size_t>(offset) < window_.size() ? &window_[offset] : nullptr;
}

void OutboundFlows::finish(Flow& flow) {
  flow.state = State::done;
  flow.delivery = {};
  --in_flight_;
  while (!window_.empty() && window_.front().state == State::done) window_.pop_front();
}

bool OutboundFlows::finish_if(PacketId id, State state, Qos qos) {
  Flow* flow = find(id);
  if (flow == nullptr || flow->state != state || flow->delivery.qos != qos) return false;
  finish(*flow);
  return true;
}

bool OutboundFlows::puback(PacketId id) {
  return finish_if(id, State::awaiting_ack, Qos::at_least_once);
}

bool OutboundFlows::refuse(PacketId id) {
  return finish_if(id, State::awaiting_ack, Qos::exactly_once);
}

bool OutboundFlows::pubcomp(PacketId id) {
  return finish_if(id, State::awaiting_pubcomp, Qos::exactly_once);
}

bool OutboundFlows::pubrec(PacketId id) {
  Flow* flow = find(id);
  if (flow == nullptr || flow->state == State::done || flow->delivery.qos != Qos::exactly_once) {
    return false;
  }
  flow->state = State::awaiting_pubcomp;
  flow->delivery.message.reset();
  return true;
}

}  // namespace hub::mqtt
