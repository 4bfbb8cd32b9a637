#pragma once

#include <cstdint>
#include <span>

#include "broker/routing/subscription.h"

namespace hub::broker {

// The subscriptions to one filter, in the order of their subscribers: 16 bytes, and no allocation
// while there is only one, as for most filters.
class SubscriptionList {
 public:
  SubscriptionList() = default;
  SubscriptionList(const SubscriptionList&) = delete;
  SubscriptionList& operator=(const SubscriptionList&) = delete;
  ~SubscriptionList();

  // Replaces that subscriber's subscription if it has one; says whether it had none.
  // Moves what comes after it: cheapest for the highest slot, which a new session mostly has.
  bool put(Subscription subscription);
  // Says whether there was one.
  bool remove(std::uint32_t subscriber);

  [[nodiscard]] std::span<const Subscription> view() const { return {data(), size_}; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

 private:
  [[nodiscard]] Subscription* data() { return capacity_ == 0 ? &one_ : many_; }
  [[nodiscard]] const Subscription* data() const { return capacity_ == 0 ? &one_ : many_; }
  [[nodiscard]] std::size_t position(std::uint32_t subscriber) const;
  void grow();
  void shrink_to_one();

  union {
    Subscription one_{0, {}};  // while capacity_ is 0
    Subscription* many_;
  };
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
};
static_assert(sizeof(SubscriptionList) == 16);

}  // namespace hub::broker
