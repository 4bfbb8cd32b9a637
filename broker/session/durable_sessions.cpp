#include "broker/session/durable_sessions.h"

#include <utility>

namespace hub::broker {
namespace {

// Changes that wait for a batch before one is asked for on their behalf alone.
constexpr std::size_t kMostWaiting = 1'000;

}  // namespace

void DurableSessions::mark(Session& session) {
  mark_for_next_batch(session);
  announce();
}

void DurableSessions::mark_for_next_batch(Session& session) {
  if (session.state_dirty) return;
  session.state_dirty = true;
  dirty_.push_back(session.handle);
  if (dirty_.size() >= kMostWaiting) announce();
}

void DurableSessions::change_expiry(Session& session, std::uint32_t seconds) {
  if (std::exchange(session.expiry_seconds, seconds) == seconds) return;
  if (session.state_saved) mark(session);
}

void DurableSessions::announce() {
  if (!std::exchange(announced_, true)) context_.shard.durable_change_waits();
}

void DurableSessions::forget(const Session& session) {
  if (session.state_saved) {
    to_forget_.push_back(session.client_id);
    context_.shard.durable_change_waits();
  }
  if (session.state_held_something) {  // nobody may find it in the next session
    forgetting_.push_back(session.client_id);
    ++forgetting_counts_[session.client_id];
    context_.shard.acknowledge_after_commit({.owed = AckToken::Owed::session_gone});
  }
}

void DurableSessions::on_gone() {
  const auto count = forgetting_counts_.find(forgetting_.front());
  if (--count->second == 0) forgetting_counts_.erase(count);
  forgetting_.pop_front();
}

void DurableSessions::on_batch_closing() {
  announced_ = false;
  // Before those that are kept: a new session of the same client may have been marked since, and of
  // a client the last change counts.
  for (const std::string& client_id : to_forget_) {
    context_.shard.make_durable(SessionGone{client_id});
  }
  to_forget_.clear();
  for (const Session::Handle handle : dirty_) {
    if (Session* session = context_.sessions.find(handle)) save(*session);
  }
  dirty_.clear();
}

void DurableSessions::save(Session& session) {
  session.state_dirty = false;
  if (!session.persistent()) {
    if (std::exchange(session.state_saved, false)) {
      context_.shard.make_durable(SessionGone{session.client_id});
    }
    return;
  }
  subscriptions_.clear();
  for (const RoutedFilter* filter : session.subscriptions) {
    subscriptions_.push_back(context_.routing.subscription(*filter, session.slot()));
  }
  packet_ids_.clear();
  if (session.inbound) {
    session.inbound->for_each_durable([this](PacketId id) { packet_ids_.push_back(id.value()); });
  }
  const SessionKept kept{session.client_id, session.expiry_seconds, subscriptions_, packet_ids_};
  session.state_saved = true;
  session.state_held_something |= !kept.is_bare();
  context_.shard.make_durable(kept);
}

}  // namespace hub::broker
