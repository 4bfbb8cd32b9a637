#pragma once

#include <cstdint>

#include "base/message.h"

namespace hub {

// MQTT 5.0 section 3.8.3.1: when to send the retained messages that match a new subscription.
enum class RetainHandling : std::uint8_t {
  send = 0,
  send_if_new = 1,
  do_not_send = 2,
};

// A 3.1.1 subscription has a QoS and otherwise these defaults.
struct SubscriptionOptions {
  Qos qos = Qos::at_most_once;
  bool no_local = false;
  bool retain_as_published = false;
  RetainHandling retain_handling = RetainHandling::send;

  friend bool operator==(const SubscriptionOptions&, const SubscriptionOptions&) = default;
};

}  // namespace hub
