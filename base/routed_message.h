#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/message.h"

namespace hub {

// A message while it is routed: its view always, its owned form once somebody has to keep it.
struct RoutedMessage {
  const MessageView& view;
  std::string_view raw_properties{};  // as received
  std::string_view properties{};      // those that travel on, once there is somebody to get them
  std::optional<Timestamp> expires_at{};
  MessageRef owned{};
  // Names it among the messages of its shard, for what is made once for all its subscribers.
  std::uint64_t serial = 0;

  const MessageRef& keep() {
    if (!owned) owned = Message::make(view, properties, expires_at);
    return owned;
  }
};

// What one session gets of a message, whatever number of its subscriptions match it (MQTT 5.0
// section 3.3.4).
struct DeliveryTerms {
  Qos qos = Qos::at_most_once;       // the highest of the subscriptions'
  bool retain_as_published = false;  // of any of them
  std::span<const std::uint32_t> subscription_ids{};
};

// The sessions of a shard, as its router sees them: it knows them by their slots.
class Subscribers {
 public:
  virtual ~Subscribers() = default;

  // REQUIRES a session in that slot. Borrows for the call.
  virtual void deliver(std::uint32_t slot, RoutedMessage& message, const DeliveryTerms& terms) = 0;
};

}  // namespace hub
