#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/mqtt/subscribe_codec.h"
#include "broker/session/durable_sessions.h"
#include "broker/session/progress.h"
#include "broker/session/session_context.h"

namespace hub::broker {

// SUBSCRIBE and UNSUBSCRIBE (MQTT 5.0 sections 3.8 to 3.11).
class SubscriptionHandler {
 public:
  SubscriptionHandler(SessionContext& context, DurableSessions& durable)
      : context_(context), durable_(durable) {}

  // REQUIRES an open channel.
  [[nodiscard]] Handled on_subscribe(Channel& channel, std::string_view body);
  [[nodiscard]] Handled on_unsubscribe(Channel& channel, std::string_view body);

  // See RoutingEffects::await_interest(). SUBACK says that from now on every message arrives,
  // whichever shard its publisher is on: it goes now, and the retained messages follow it.
  void on_interest_known(std::uint64_t request);

 private:
  using RetainedWish = RoutingEffects::RetainedWish;
  struct Pending {
    Session::Handle session = 0;
    std::string suback{};
    std::vector<RetainedWish> retained_wanted{};
  };

  mqtt::ReasonCode subscribe(Session& session, const mqtt::FilterView& wanted, std::uint32_t id,
                             std::vector<RetainedWish>& retained_wanted);
  [[nodiscard]] bool within_limits(std::string_view filter) const;
  // Of the session's subscriptions; null when there is none with that filter.
  [[nodiscard]] const RoutedFilter* find(const Session& session, std::string_view filter) const;

  SessionContext& context_;
  DurableSessions& durable_;
  boost::unordered_flat_map<std::uint64_t, Pending> pending_;
  std::uint64_t next_request_ = 1;
};

}  // namespace hub::broker
