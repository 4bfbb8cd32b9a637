#include "broker/routing/router.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace hub::broker {
namespace {

// A hostile publisher of ever new topics costs this many cache entries and no more.
constexpr std::size_t kMaxCachedTopics = 100'000;

}  // namespace

Router::Router(const Options& options, MatchCache::RouteOf sink_route_of, Subscribers& subscribers,
               PeerRouter& peers)
    : keeps_retained_(options.keeps_retained),
      subscribers_(subscribers),
      peers_(peers),
      topics_(index_, std::move(sink_route_of), kMaxCachedTopics),
      retained_(options.retained) {}

void Router::deliver(RoutedMessage& message, const Matches& matches, std::uint64_t publisher) {
  for (std::uint64_t remote = matches.remote_shards(); remote != 0; remote &= remote - 1) {
    peers_.deliver(static_cast<std::uint32_t>(std::countr_zero(remote)), message.keep());
  }
  deliver_here(message, matches, publisher);
}

void Router::deliver_here(RoutedMessage& message, const Matches& matches, std::uint64_t publisher) {
  const auto is_own = [publisher](Subscription subscription) {  // [MQTT-3.8.3-3]
    return subscription.no_local() && publisher != 0 &&
           subscription.subscriber() == static_cast<std::uint32_t>(publisher);
  };
  if (matches.filters().size() == 1) {  // then no session is there twice
    for (const Subscription subscription : matches.filters()[0]->subscriptions()) {
      if (is_own(subscription)) continue;
      const std::uint32_t id = subscription.identifier();
      subscribers_.deliver(
          subscription.subscriber(), message,
          {subscription.qos(), subscription.retain_as_published(), {&id, id != 0}});
    }
    return;
  }
  overlapping_.clear();
  for (const RoutedFilter* filter : matches.filters()) {
    for (const Subscription subscription : filter->subscriptions()) {
      if (!is_own(subscription)) overlapping_.push_back(subscription);
    }
  }
  std::sort(overlapping_.begin(), overlapping_.end(),
            [](Subscription a, Subscription b) { return a.subscriber() < b.subscriber(); });
  for (auto it = overlapping_.begin(); it != overlapping_.end();) {
    const std::uint32_t slot = it->subscriber();
    DeliveryTerms terms;
    subscription_ids_.clear();
    for (; it != overlapping_.end() && it->subscriber() == slot; ++it) {
      terms.qos = std::max(terms.qos, it->qos());
      terms.retain_as_published |= it->retain_as_published();
      if (it->identifier() != 0) subscription_ids_.push_back(it->identifier());
    }
    terms.subscription_ids = subscription_ids_;
    subscribers_.deliver(slot, message, terms);
  }
}

SubscriptionIndex::Added Router::subscribe(std::string_view filter, Subscription subscription) {
  const SubscriptionIndex::Added added = index_.add(filter, subscription);
  if (added.first_on_shard) peers_.tell_interest(filter, true);
  return added;
}

void Router::unsubscribe(const RoutedFilter& filter, std::uint32_t slot) {
  const std::string text{filter.text()};  // the filter may go with its last subscription
  if (index_.remove(text, slot).last_on_shard) peers_.tell_interest(text, false);
}

void Router::set_remote_interest(const std::string& filter, std::uint32_t shard, bool wanted) {
  if (wanted) {
    index_.add_remote(filter, shard);
  } else {
    index_.remove_remote(filter, shard);
  }
}

bool Router::keep_retained(const MessageRef& message) {
  if (!keeps_retained_) {
    peers_.keep_retained(message);
    return true;
  }
  const std::string_view topic = message->view().topic;
  if (message->view().payload.empty()) {
    retained_.erase(topic);
    return true;
  }
  using Outcome = RetainedStore<MessageRef>::Outcome;
  const Outcome outcome = retained_.set(topic, message, message->bytes());
  return outcome == Outcome::stored || outcome == Outcome::replaced;
}

std::vector<MessageRef> Router::matching_retained(std::string_view filter, Timestamp now) const {
  assert(keeps_retained_);
  std::vector<MessageRef> messages;
  retained_.match(filter, [&](std::string_view, const MessageRef& message) {
    if (!message->expired(now)) messages.push_back(message);
  });
  return messages;
}

}  // namespace hub::broker
