#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>

#include "base/turn_time.h"
#include "broker/counters.h"
#include "broker/publish_sink.h"
#include "broker/routing/router.h"
#include "broker/session/effects.h"
#include "broker/shard_peers.h"

namespace hub::broker {

// Where an accepted message goes: to its subscribers and to the retained messages by the router,
// and to the sink; then what rules publish meanwhile goes the same way. One shard's.
class Dispatch final : public RoutingEffects, private Publisher {
 public:
  // Borrows all of it. salt: makes the ids of this shard's messages those of no other one.
  Dispatch(Router& router, ShardPeers& peers, Counters& counters, const TurnTime& time,
           std::uint64_t salt)
      : router_(router), peers_(peers), counters_(counters), time_(time), salt_(salt) {}

  // Before the first message.
  void set_sink(PublishSink& sink) { sink_ = &sink; }
  [[nodiscard]] std::uint64_t salt() const noexcept { return salt_; }

  // RoutingEffects
  [[nodiscard]] Destination destination(std::string_view topic) override;
  [[nodiscard]] MessageView new_message() override;
  bool route(RoutedMessage& message, const Interest& interest, std::uint64_t publisher) override;
  Added subscribe(std::string_view filter, std::uint32_t slot, SubscriptionOptions options,
                  std::uint32_t identifier) override;
  void unsubscribe(const RoutedFilter& filter, std::uint32_t slot) override {
    router_.unsubscribe(filter, slot);
  }
  [[nodiscard]] DurableSubscription subscription(const RoutedFilter& filter,
                                                 std::uint32_t slot) const override;
  [[nodiscard]] std::string_view text(const RoutedFilter& filter) const override {
    return filter.text();
  }
  void await_interest(std::uint64_t request) override { peers_.await_interest(request); }
  void send_retained(std::uint64_t session, std::vector<RetainedWish> wishes) override {
    peers_.ask_retained(session, std::move(wishes));
  }

  // A message of the hub's own, retained.
  void route_own(std::string_view topic, std::string_view payload);
  // What another shard has sent: to the subscribers of this one.
  void deliver_here(const MessageRef& message);
  void keep_retained(const MessageRef& message) {
    if (!router_.keep_retained(message)) ++counters_.dropped_retained_full;
  }
  // What a new subscription gets of a retained message.
  [[nodiscard]] RoutedMessage as_routed(const MessageRef& message);

 private:
  // Publisher, while the sink takes a message.
  void publish(std::string_view topic, std::string_view payload, Qos qos, bool retain) override;
  bool route_republished();

  struct Republished {
    MessageRef message;
    int depth;
  };

  Router& router_;
  ShardPeers& peers_;
  Counters& counters_;
  const TurnTime& time_;
  const std::uint64_t salt_;
  PublishSink* sink_ = nullptr;
  std::uint64_t message_count_ = 0;
  std::uint64_t serial_ = 0;
  std::string forwarded_properties_;  // of the message that is being routed
  std::deque<Republished> republished_;
  int republish_depth_ = 0;
};

}  // namespace hub::broker
