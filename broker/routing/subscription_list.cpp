#include "broker/routing/subscription_list.h"

#include <algorithm>
#include <memory>

namespace hub::broker {

SubscriptionList::~SubscriptionList() {
  if (capacity_ != 0) std::allocator<Subscription>{}.deallocate(many_, capacity_);
}

std::size_t SubscriptionList::position(std::uint32_t subscriber) const {
  const Subscription* const begin = data();
  const Subscription* const end = begin + size_;
  if (size_ == 0 || end[-1].subscriber() < subscriber) return size_;
  return static_cast<std::size_t>(std::lower_bound(begin, end, subscriber,
                                                   [](const Subscription& s, std::uint32_t slot) {
                                                     return s.subscriber() < slot;
                                                   }) -
                                  begin);
}

bool SubscriptionList::put(Subscription subscription) {
  const std::size_t at = position(subscription.subscriber());
  if (at < size_ && data()[at].subscriber() == subscription.subscriber()) {
    data()[at] = subscription;
    return false;
  }
  if (size_ == std::max<std::uint32_t>(capacity_, 1)) grow();
  Subscription* const begin = data();
  std::copy_backward(begin + at, begin + size_, begin + size_ + 1);
  begin[at] = subscription;
  ++size_;
  return true;
}

bool SubscriptionList::remove(std::uint32_t subscriber) {
  const std::size_t at = position(subscriber);
  if (at == size_ || data()[at].subscriber() != subscriber) return false;
  Subscription* const begin = data();
  std::copy(begin + at + 1, begin + size_, begin + at);
  --size_;
  if (capacity_ != 0 && size_ == 1) shrink_to_one();
  return true;
}

void SubscriptionList::grow() {
  const std::uint32_t capacity = capacity_ == 0 ? 4 : capacity_ * 2;
  Subscription* const bigger = std::allocator<Subscription>{}.allocate(capacity);
  std::uninitialized_copy(data(), data() + size_, bigger);
  if (capacity_ != 0) std::allocator<Subscription>{}.deallocate(many_, capacity_);
  many_ = bigger;
  capacity_ = capacity;
}

void SubscriptionList::shrink_to_one() {
  const Subscription last = many_[0];
  std::allocator<Subscription>{}.deallocate(many_, capacity_);
  one_ = last;
  capacity_ = 0;
}

}  // namespace hub::broker
