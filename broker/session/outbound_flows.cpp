#include "broker/session/outbound_flows.h"

#include <algorithm>
#include <utility>

namespace hub::broker {

const OutboundFlows::Flow& OutboundFlows::start(Delivery delivery) {
  window_.push_back({PacketId{next_id_}, State::awaiting_ack, false, std::move(delivery)});
  next_id_ = next_id_ == 65'535 ? 1 : static_cast<std::uint16_t>(next_id_ + 1);
  ++in_flight_;
  return window_.back();
}

void OutboundFlows::enqueue(Delivery delivery) {
  queued_bytes_ += delivery.message->bytes();
  queue_.push_back(std::move(delivery));
}

const OutboundFlows::Flow* OutboundFlows::start_next() {
  if (queue_.empty() || to_resend_ > 0 || !has_quota()) return nullptr;
  Delivery next = std::move(queue_.front());
  queued_bytes_ -= next.message->bytes();
  queue_.pop_front();
  return &start(std::move(next));
}

void OutboundFlows::drop_next_queued() {
  queued_bytes_ -= queue_.front().message->bytes();
  queue_.pop_front();
}

const OutboundFlows::Flow* OutboundFlows::next_resend() {
  // One that is sent again takes no place in the window that it has not.
  if (to_resend_ == 0 || in_flight_ - to_resend_ >= send_quota_) return nullptr;
  std::size_t at = offset_of(next_resend_);
  if (at == window_.size()) at = 0;  // it is done, and all before it
  while (!window_[at].to_resend) ++at;
  Flow& flow = window_[at];
  not_to_resend(flow);
  next_resend_ = flow.id.value();
  return &flow;
}

std::size_t OutboundFlows::offset_of(std::uint16_t id) const noexcept {
  if (window_.empty()) return 0;
  const int first = window_.front().id.value();
  return std::min(static_cast<std::size_t>((id - first + 65'535) % 65'535), window_.size());
}

OutboundFlows::Flow* OutboundFlows::find(PacketId id) {
  const std::size_t at = offset_of(id.value());
  return at < window_.size() ? &window_[at] : nullptr;
}

void OutboundFlows::not_to_resend(Flow& flow) noexcept {
  to_resend_ -= flow.to_resend ? 1 : 0;
  flow.to_resend = false;
}

void OutboundFlows::finish(Flow& flow) {
  not_to_resend(flow);
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
  not_to_resend(*flow);
  flow->state = State::awaiting_pubcomp;
  flow->delivery.message.reset();
  return true;
}

}  // namespace hub::broker
