#include "broker/session/subscription_handler.h"

#include <algorithm>
#include <utility>

namespace hub::broker {

using mqtt::ReasonCode;

Handled SubscriptionHandler::on_subscribe(Channel& channel, std::string_view body) {
  const auto decoded = mqtt::decode_subscribe(channel.version, body);
  if (!decoded) return decoded.error();
  Session& session = *channel.session;
  std::vector<ReasonCode> codes;
  Pending pending{.session = session.handle};
  for (const mqtt::FilterView wanted : decoded->filters) {
    codes.push_back(subscribe(session, wanted, decoded->subscription_id, pending.retained_wanted));
  }
  if (session.persistent()) durable_.mark(session);
  mqtt::append_suback(pending.suback, channel.version, decoded->packet_id, codes);

  const std::uint64_t request = next_request_++;
  pending_.emplace(request, std::move(pending));
  context_.routing.await_interest(request);
  return Progress::next;
}

void SubscriptionHandler::on_interest_known(std::uint64_t request) {
  const auto found = pending_.find(request);
  if (found == pending_.end()) return;
  Pending pending = std::move(found->second);
  pending_.erase(found);
  Session* session = context_.sessions.find(pending.session);
  if (session == nullptr || session->channel == nullptr) return;
  context_.clients.output(*session->channel).append(pending.suback);
  if (!pending.retained_wanted.empty()) {
    context_.routing.send_retained(session->handle, std::move(pending.retained_wanted));
  }
}

// The index has a node for each level of a filter that has wildcards.
bool SubscriptionHandler::within_limits(std::string_view filter) const {
  return filter.size() <= context_.options.max_filter_bytes &&
         static_cast<std::size_t>(std::ranges::count(filter, '/')) <
             context_.options.max_filter_levels;
}

const RoutedFilter* SubscriptionHandler::find(const Session& session,
                                              std::string_view filter) const {
  const auto found = std::ranges::find_if(session.subscriptions, [&](const RoutedFilter* known) {
    return context_.routing.text(*known) == filter;
  });
  return found == session.subscriptions.end() ? nullptr : *found;
}

ReasonCode SubscriptionHandler::subscribe(Session& session, const mqtt::FilterView& wanted,
                                          std::uint32_t id,
                                          std::vector<RetainedWish>& retained_wanted) {
  if (wanted.filter.starts_with("$share/")) return ReasonCode::shared_subscriptions_not_supported;
  const bool too_many = session.subscriptions.size() >= context_.options.max_subscriptions &&
                        find(session, wanted.filter) == nullptr;
  if (too_many || !within_limits(wanted.filter)) {
    ++context_.counters.subscriptions_refused;
    return ReasonCode::quota_exceeded;  // "an implementation or administrative imposed limit"
  }
  const auto added = context_.routing.subscribe(wanted.filter, session.slot(), wanted.options, id);
  if (added.is_new) session.subscriptions.push_back(added.filter);
  const RetainHandling handling = wanted.options.retain_handling;
  if (handling == RetainHandling::send ||
      (handling == RetainHandling::send_if_new && added.is_new)) {
    // A retained message that is sent because of a new subscription says so [MQTT-3.3.1-8].
    retained_wanted.push_back({std::string{wanted.filter}, wanted.options.qos, id});
  }
  return static_cast<ReasonCode>(wanted.options.qos);
}

Handled SubscriptionHandler::on_unsubscribe(Channel& channel, std::string_view body) {
  const auto decoded = mqtt::decode_unsubscribe(channel.version, body);
  if (!decoded) return decoded.error();
  Session& session = *channel.session;
  std::vector<ReasonCode> codes;
  for (const mqtt::FilterView unwanted : decoded->filters) {
    const RoutedFilter* known = find(session, unwanted.filter);
    if (known == nullptr) {
      codes.push_back(ReasonCode::no_subscription_existed);
      continue;
    }
    session.subscriptions.erase(std::ranges::find(session.subscriptions, known));
    context_.routing.unsubscribe(*known, session.slot());
    codes.push_back(ReasonCode::success);
  }
  if (session.persistent()) durable_.mark(session);
  mqtt::append_unsuback(context_.clients.output(channel), channel.version, decoded->packet_id,
                        codes);
  return Progress::next;
}

}  // namespace hub::broker
