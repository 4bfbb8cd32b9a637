#pragma once

#include <cassert>
#include <cstdint>

#include "base/subscription_options.h"

namespace hub::broker {

// One session's subscription to one topic filter, as the routing index keeps it: eight bytes.
class Subscription {
 public:
  // The session's slot in its shard.
  static constexpr std::uint32_t kMaxSubscriber = (1u << 30) - 1;
  static constexpr std::uint32_t kMaxIdentifier = (1u << 28) - 1;  // MQTT 5.0 section 3.8.2.1.2

  // identifier: the Subscription Identifier, 0 when there is none.
  Subscription(std::uint32_t subscriber, SubscriptionOptions options, std::uint32_t identifier = 0)
      : subscriber_(subscriber),
        identifier_(identifier),
        qos_(static_cast<unsigned>(options.qos)),
        retain_handling_(static_cast<unsigned>(options.retain_handling)),
        no_local_(options.no_local),
        retain_as_published_(options.retain_as_published) {
    assert(subscriber <= kMaxSubscriber && identifier <= kMaxIdentifier);
  }

  [[nodiscard]] std::uint32_t subscriber() const { return subscriber_; }
  [[nodiscard]] std::uint32_t identifier() const { return identifier_; }
  [[nodiscard]] Qos qos() const { return static_cast<Qos>(qos_); }
  [[nodiscard]] bool no_local() const { return no_local_ != 0; }
  [[nodiscard]] bool retain_as_published() const { return retain_as_published_ != 0; }
  [[nodiscard]] SubscriptionOptions options() const {
    return {.qos = qos(),
            .no_local = no_local(),
            .retain_as_published = retain_as_published(),
            .retain_handling = static_cast<RetainHandling>(retain_handling_)};
  }

 private:
  std::uint64_t subscriber_ : 30;
  std::uint64_t identifier_ : 28;
  std::uint64_t qos_ : 2;
  std::uint64_t retain_handling_ : 2;
  std::uint64_t no_local_ : 1;
  std::uint64_t retain_as_published_ : 1;
};
static_assert(sizeof(Subscription) == 8);

}  // namespace hub::broker
