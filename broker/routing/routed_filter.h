#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string_view>

#include "broker/routing/subscription_list.h"

namespace hub::broker {

// A topic filter that somebody wants, with who does. Lives at one address from the first interest
// in it to the last: a session may keep the pointer in place of the text.
class RoutedFilter {
 public:
  [[nodiscard]] std::string_view text() const {
    return {reinterpret_cast<const char*>(this) + kTextOffset, text_bytes_};
  }
  // On this shard.
  [[nodiscard]] std::span<const Subscription> subscriptions() const { return local_.view(); }
  // Bit n: shard n, which is another one, has subscriptions to this filter.
  [[nodiscard]] std::uint64_t remote_shards() const { return remote_shards_; }

 private:
  friend class SubscriptionIndex;

  struct Delete {
    void operator()(RoutedFilter* filter) const {
      filter->~RoutedFilter();
      ::operator delete(filter);
    }
  };
  using Ptr = std::unique_ptr<RoutedFilter, Delete>;

  // Requires at most 65,535 bytes.
  static Ptr make(std::string_view text) {
    assert(text.size() <= 0xFFFF);
    void* const memory = ::operator new(std::max(sizeof(RoutedFilter), kTextOffset + text.size()));
    Ptr filter{new (memory) RoutedFilter{static_cast<std::uint16_t>(text.size())}};
    text.copy(static_cast<char*>(memory) + kTextOffset, text.size());
    return filter;
  }
  explicit RoutedFilter(std::uint16_t text_bytes) : text_bytes_(text_bytes) {}

  [[nodiscard]] bool unwanted() const { return local_.empty() && remote_shards_ == 0; }

  // The text follows the last member, without the object's padding.
  static constexpr std::size_t kTextOffset =
      sizeof(SubscriptionList) + sizeof(std::uint64_t) + sizeof(std::uint16_t);

  SubscriptionList local_;
  std::uint64_t remote_shards_ = 0;
  std::uint16_t text_bytes_;
};

}  // namespace hub::broker
