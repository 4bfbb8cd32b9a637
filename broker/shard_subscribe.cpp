// Interest: SUBSCRIBE and UNSUBSCRIBE, what the other shards know of it, retained messages.
#include <algorithm>

#include "broker/shard.h"

namespace hub::broker {

using mqtt::ReasonCode;

void Shard::handle_subscribe(Connection::Handle handle, Connection& connection,
                             std::string_view body) {
  const auto decoded = mqtt::decode_subscribe(connection.version, body);
  if (!decoded) {
    fail(handle, connection, decoded.error().reason, decoded.error().what);
    return;
  }
  Session& session = *sessions_.find(connection.session);
  std::vector<ReasonCode> codes;
  PendingSubscribe pending{.session = session.handle, .missing = shard_count_ - 1};
  for (const mqtt::FilterView wanted : decoded->filters) {
    codes.push_back(subscribe(session, wanted, decoded->subscription_id, pending.retained_wanted));
  }
  if (session.persistent()) mark_state_dirty(session);
  mqtt::append_suback(pending.suback, connection.version, decoded->packet_id, codes);

  // SUBACK says that from now on every message arrives, whichever shard its publisher is on: it
  // waits until the others have the new interest, which was posted to them before this.
  const std::uint64_t id = next_subscribe_id_++;
  pending_subscribes_.emplace(id, std::move(pending));
  for (const OnShard<Shard>& peer : peers_) {
    peer.post([id, from = peers_[id_], self = id_](Shard& shard) {
      if (shard.id() != self) from.post([id](Shard& origin) { origin.confirm_subscribe(id); });
    });
  }
  if (shard_count_ == 1) finish_subscribe(id);
}

void Shard::confirm_subscribe(std::uint64_t subscribe_id) {
  assert_home();
  const auto found = pending_subscribes_.find(subscribe_id);
  if (found == pending_subscribes_.end() || --found->second.missing > 0) return;
  begin_turn();
  finish_subscribe(subscribe_id);
  finish_turn();
}

void Shard::finish_subscribe(std::uint64_t subscribe_id) {
  const auto found = pending_subscribes_.find(subscribe_id);
  PendingSubscribe pending = std::move(found->second);
  pending_subscribes_.erase(found);
  Session* session = sessions_.find(pending.session);
  if (session == nullptr) return;
  Connection* connection = connections_.find(session->connection);
  if (connection == nullptr) return;
  connection->out(buffers_).append(pending.suback);
  mark_dirty(session->connection, *connection);
  if (!pending.retained_wanted.empty()) {
    ask_retained(session->handle, std::move(pending.retained_wanted));
  }
}

// The index has a node for each level of a filter that has wildcards.
bool Shard::within_limits(std::string_view filter) const {
  return filter.size() <= options_.max_filter_bytes &&
         static_cast<std::size_t>(std::ranges::count(filter, '/')) < options_.max_filter_levels;
}

ReasonCode Shard::subscribe(Session& session, const mqtt::FilterView& wanted, std::uint32_t id,
                            std::vector<RetainedWish>& retained_wanted) {
  if (wanted.filter.starts_with("$share/")) return ReasonCode::shared_subscriptions_not_supported;
  const bool too_many = session.subscriptions.size() >= options_.max_subscriptions &&
                        std::ranges::find(session.subscriptions, wanted.filter,
                                          &RoutedFilter::text) == session.subscriptions.end();
  if (too_many || !within_limits(wanted.filter)) {
    ++counters_.subscriptions_refused;
    return ReasonCode::quota_exceeded;  // "an implementation or administrative imposed limit"
  }
  const Subscription subscription{session.slot(), wanted.options, id};
  const bool is_new = add_subscription(session, wanted.filter, subscription);
  const RetainHandling handling = wanted.options.retain_handling;
  if (handling == RetainHandling::send || (handling == RetainHandling::send_if_new && is_new)) {
    retained_wanted.push_back({std::string{wanted.filter}, subscription});
  }
  return static_cast<ReasonCode>(wanted.options.qos);
}

bool Shard::add_subscription(Session& session, std::string_view filter, Subscription subscription) {
  const SubscriptionIndex::Added added = index_.add(filter, subscription);
  if (added.is_new) session.subscriptions.push_back(added.filter);
  if (added.first_on_shard) tell_interest(filter, true);
  return added.is_new;
}

void Shard::remove_interest(const Session& session, std::string_view filter) {
  const std::string text{filter};  // the index may own the one that was given
  if (index_.remove(text, session.slot()).last_on_shard) tell_interest(text, false);
}

void Shard::tell_interest(std::string_view filter, bool wanted) {
  for (std::uint32_t shard = 0; shard < shard_count_; ++shard) {
    if (shard == id_) continue;
    peers_[shard].post([filter = std::string{filter}, wanted, self = id_](Shard& peer) {
      peer.set_remote_interest(filter, self, wanted);
    });
  }
}

void Shard::set_remote_interest(const std::string& filter, std::uint32_t shard, bool wanted) {
  assert_home();
  if (wanted) {
    index_.add_remote(filter, shard);
  } else {
    index_.remove_remote(filter, shard);
  }
}

void Shard::handle_unsubscribe(Connection::Handle handle, Connection& connection,
                               std::string_view body) {
  const auto decoded = mqtt::decode_unsubscribe(connection.version, body);
  if (!decoded) {
    fail(handle, connection, decoded.error().reason, decoded.error().what);
    return;
  }
  Session& session = *sessions_.find(connection.session);
  std::vector<ReasonCode> codes;
  for (const mqtt::FilterView unwanted : decoded->filters) {
    const auto known =
        std::ranges::find(session.subscriptions, unwanted.filter, &RoutedFilter::text);
    if (known == session.subscriptions.end()) {
      codes.push_back(ReasonCode::no_subscription_existed);
      continue;
    }
    session.subscriptions.erase(known);
    remove_interest(session, unwanted.filter);
    codes.push_back(ReasonCode::success);
  }
  if (session.persistent()) mark_state_dirty(session);
  mqtt::append_unsuback(connection.out(buffers_), connection.version, decoded->packet_id, codes);
  mark_dirty(handle, connection);
}

// Retained messages live on shard 0, which gives all changes of a topic one order.
void Shard::keep_retained(const MessageRef& message) {
  if (id_ != 0) {
    bursts_[0].push_back({.message = message, .retain = true});
    burst_bytes_ += message->bytes();
    return;
  }
  if (message->view().payload.empty()) {
    retained_.erase(message->view().topic);  // [MQTT-3.3.1-6]
    return;
  }
  using Outcome = RetainedStore<MessageRef>::Outcome;
  const Outcome outcome = retained_.set(message->view().topic, message, message->bytes());
  if (outcome == Outcome::too_many_messages || outcome == Outcome::too_many_bytes) {
    ++counters_.dropped_retained_full;
  }
}

void Shard::ask_retained(Session::Handle session, std::vector<RetainedWish> wishes) {
  if (id_ == 0) {
    for (const RetainedWish& wish : wishes) {
      deliver_retained(wish.subscription, session, matching_retained(wish.filter));
    }
    return;
  }
  peers_[0].post([session, wishes = std::move(wishes), from = peers_[id_]](Shard& keeper) {
    keeper.begin_turn();
    for (const RetainedWish& wish : wishes) {
      from.post([session, subscription = wish.subscription,
                 messages = keeper.matching_retained(wish.filter)](Shard& asker) {
        asker.begin_turn();
        asker.deliver_retained(subscription, session, messages);
        asker.finish_turn();
      });
    }
  });
}

std::vector<MessageRef> Shard::matching_retained(std::string_view filter) {
  assert_home();
  std::vector<MessageRef> messages;
  retained_.match(filter, [&](std::string_view, const MessageRef& message) {
    if (!message->expired(wall_now_)) messages.push_back(message);
  });
  return messages;
}

void Shard::deliver_retained(Subscription subscription, Session::Handle handle,
                             const std::vector<MessageRef>& messages) {
  Session* session = sessions_.find(handle);
  if (session == nullptr) return;
  const std::uint32_t id = subscription.identifier();
  for (const MessageRef& message : messages) {
    ++route_serial_;
    Routed routed{.view = message->view(),
                  .properties = message->properties(),
                  .expires_at = message->expires_at(),
                  .owned = message};
    // A retained message that is sent because of a new subscription says so [MQTT-3.3.1-8].
    deliver_to(*session, routed, {subscription.qos(), true, {&id, id != 0}});
  }
}

}  // namespace hub::broker
