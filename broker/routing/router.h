#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/routed_message.h"
#include "broker/routing/match_cache.h"
#include "broker/routing/retained_store.h"
#include "broker/routing/subscription_index.h"

namespace hub::broker {

// The other shards (one day: the other hubs), as a router sees them. What is sent goes out in the
// order of the calls.
class PeerRouter {
 public:
  virtual ~PeerRouter() = default;

  // To the subscribers of that shard.
  virtual void deliver(std::uint32_t shard, const MessageRef& message) = 0;
  // To the shard that keeps the retained messages, which gives all changes of a topic one order.
  virtual void keep_retained(const MessageRef& message) = 0;
  // To all: this shard has the first, or has lost the last, subscription to a filter.
  virtual void tell_interest(std::string_view filter, bool wanted) = 0;
};

// Who wants which messages, for one shard: its subscriptions, what it knows of the other shards',
// and, on one of the shards, the retained messages. Knows sessions by their slots only.
class Router {
 public:
  struct Options {
    bool keeps_retained = true;  // this shard is the one that does
    RetainedStore<MessageRef>::Limits retained;
  };
  // sink_route_of: asks what else wants a topic. Borrows both interfaces.
  Router(const Options& options, MatchCache::RouteOf sink_route_of, Subscribers& subscribers,
         PeerRouter& peers);

  // What the sink said of topics under another version is asked anew.
  void set_sink_route_version(std::uint64_t version) { topics_.set_route_version(version); }
  // Valid until the next call, and as long as no subscription comes or goes.
  [[nodiscard]] const Interest& interest(std::string_view topic) { return topics_.find(topic); }

  // To all subscribers, here and elsewhere. publisher: the handle of its session, 0 for none.
  void deliver(RoutedMessage& message, const Matches& matches, std::uint64_t publisher);
  // To those of this shard only: what another shard has sent.
  void deliver_here(RoutedMessage& message, const Matches& matches, std::uint64_t publisher);

  [[nodiscard]] SubscriptionIndex::Added subscribe(std::string_view filter,
                                                   Subscription subscription);
  void unsubscribe(const RoutedFilter& filter, std::uint32_t slot);
  void set_remote_interest(const std::string& filter, std::uint32_t shard, bool wanted);

  // The message becomes its topic's retained message; an empty payload removes it [MQTT-3.3.1-6].
  // False when there is no room for it.
  [[nodiscard]] bool keep_retained(const MessageRef& message);
  // Without those that have expired. REQUIRES that this shard keeps them.
  [[nodiscard]] std::vector<MessageRef> matching_retained(std::string_view filter,
                                                          Timestamp now) const;

 private:
  const bool keeps_retained_;
  Subscribers& subscribers_;
  PeerRouter& peers_;
  SubscriptionIndex index_;
  MatchCache topics_;
  RetainedStore<MessageRef> retained_;
  std::vector<Subscription> overlapping_;        // scratch of deliver_here()
  std::vector<std::uint32_t> subscription_ids_;  // likewise
};

}  // namespace hub::broker
