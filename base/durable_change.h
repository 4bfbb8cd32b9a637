#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/subscription_options.h"

namespace hub {

// What must survive the hub, in words that broker and storage share: the broker says what has
// changed, a batch carries it as such, and storage alone decides how it is laid down.

struct DurableSubscription {
  std::string_view filter;  // a valid topic filter
  SubscriptionOptions options;
  std::uint32_t identifier = 0;  // 0: none; at most 268,435,455
};

// A session as it is now, in place of what was durable of it. Borrows, for the length of a call.
struct SessionKept {
  std::string_view client_id;
  std::uint32_t expiry_seconds = 0;  // not 0; 0xFFFFFFFF: never
  std::span<const DurableSubscription> subscriptions;
  // Of QoS 2 messages whose rows commit with it, or have committed, and that a resend must find.
  std::span<const std::uint16_t> packet_ids;

  // Besides that it exists, there is nothing of it.
  [[nodiscard]] bool is_bare() const noexcept {
    return subscriptions.empty() && packet_ids.empty();
  }
};

// Nothing of the session is to be found any more.
struct SessionGone {
  std::string_view client_id;
};

using DurableChange = std::variant<SessionKept, SessionGone>;

// A session as storage knew it when the hub started.
struct StoredSession {
  struct Subscription {
    std::string filter;
    SubscriptionOptions options;
    std::uint32_t identifier = 0;
  };
  std::string client_id;
  std::uint32_t expiry_seconds = 0;
  std::vector<Subscription> subscriptions;
  std::vector<std::uint16_t> packet_ids;
};

}  // namespace hub
