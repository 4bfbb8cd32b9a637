#include "broker/dispatch.h"

#include <algorithm>
#include <utility>

#include "broker/mqtt/publish_codec.h"

namespace hub::broker {
namespace {

// A rule may publish what another rule takes, but not for ever.
constexpr int kMaxRepublishDepth = 8;

}  // namespace

RoutingEffects::Destination Dispatch::destination(std::string_view topic) {
  const Interest& interest = router_.interest(topic);
  return {interest, interest.sink_route != nullptr};
}

MessageView Dispatch::new_message() {
  MessageView view;
  view.id = {static_cast<std::uint64_t>(time_.wall.time_since_epoch().count()),
             salt_ + ++message_count_};
  view.received_at = time_.wall;
  return view;
}

bool Dispatch::route(RoutedMessage& message, const Interest& interest, std::uint64_t publisher) {
  message.serial = ++serial_;
  const SinkRoute* const sink_route = interest.sink_route;  // `interest` goes with the next look-up
  if (!interest.matches.empty() || message.view.retain) {
    forwarded_properties_.clear();
    if (!message.raw_properties.empty()) {
      mqtt::append_forwarded_properties(forwarded_properties_, message.raw_properties);
    }
    message.properties = forwarded_properties_;
    if (message.view.retain) keep_retained(message.keep());
    router_.deliver(message, interest.matches, publisher);
  }
  if (sink_route == nullptr) return false;
  const bool outermost = republish_depth_ == 0;
  ++republish_depth_;
  bool to_commit = sink_->take(*sink_route, message.view, *this);
  --republish_depth_;
  // What rules publish is routed after the message that made them, and before its acknowledgement
  // is asked for: so that waits for theirs, too.
  if (outermost) to_commit = route_republished() || to_commit;
  return to_commit;
}

void Dispatch::publish(std::string_view topic, std::string_view payload, Qos qos, bool retain) {
  if (republish_depth_ > kMaxRepublishDepth) {
    ++counters_.dropped_republish_depth;
    return;
  }
  MessageView view = new_message();
  view.topic = topic;
  view.payload = payload;
  view.qos = qos;
  view.retain = retain;
  republished_.push_back({Message::make(view), republish_depth_});
}

bool Dispatch::route_republished() {
  bool to_commit = false;
  while (!republished_.empty()) {
    const Republished next = std::move(republished_.front());
    republished_.pop_front();
    republish_depth_ = next.depth;
    RoutedMessage message{.view = next.message->view(), .owned = next.message};
    to_commit = route(message, router_.interest(message.view.topic), 0) || to_commit;
  }
  republish_depth_ = 0;
  return to_commit;
}

void Dispatch::route_own(std::string_view topic, std::string_view payload) {
  MessageView view = new_message();
  view.topic = topic;
  view.payload = payload;
  view.retain = true;
  const MessageRef owned = Message::make(view);  // its payload is padded, as rules want it
  RoutedMessage message{.view = owned->view(), .owned = owned};
  route(message, router_.interest(topic), 0);
}

RoutedMessage Dispatch::as_routed(const MessageRef& message) {
  return {.view = message->view(),
          .properties = message->properties(),
          .expires_at = message->expires_at(),
          .owned = message,
          .serial = ++serial_};
}

void Dispatch::deliver_here(const MessageRef& message) {
  RoutedMessage routed = as_routed(message);
  router_.deliver_here(routed, router_.interest(message->view().topic).matches, 0);
}

RoutingEffects::Added Dispatch::subscribe(std::string_view filter, std::uint32_t slot,
                                          SubscriptionOptions options, std::uint32_t identifier) {
  const auto added = router_.subscribe(filter, {slot, options, identifier});
  return {added.filter, added.is_new};
}

DurableSubscription Dispatch::subscription(const RoutedFilter& filter, std::uint32_t slot) const {
  const Subscription found =
      *std::ranges::find(filter.subscriptions(), slot, &Subscription::subscriber);
  return {filter.text(), found.options(), found.identifier()};
}

}  // namespace hub::broker
