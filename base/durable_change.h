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
  static constexpr std::uint32_t kMaxIdentifier = 268'435'455;  // MQTT 5.0 section 3.8.2.1.2

  std::string_view filter;  // a valid topic filter
  SubscriptionOptions options;
  std::uint32_t identifier = 0;  // 0: none; at most kMaxIdentifier
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

    friend bool operator==(const Subscription&, const Subscription&) = default;
  };
  std::string client_id{};
  std::uint32_t expiry_seconds = 0;
  std::vector<Subscription> subscriptions{};
  std::vector<std::uint16_t> packet_ids{};
  // What is stored cannot be read, as by a hub that is older than the one that wrote it: only the
  // client id is known, and what is stored is to be removed (SessionGone).
  bool unknown_form = false;

  friend bool operator==(const StoredSession&, const StoredSession&) = default;
};

}  // namespace hub
