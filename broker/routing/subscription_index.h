#pragma once

#include <array>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/text_hash.h"
#include "broker/routing/filter_tree.h"
#include "broker/routing/routed_filter.h"

namespace hub::broker {

inline constexpr unsigned kMaxShards = 64;

// The filters that match a topic. A client with overlapping subscriptions is there once for each.
// Borrows from the index, until a filter comes or goes (see SubscriptionIndex::stamp()).
class Matches {
 public:
  [[nodiscard]] std::span<const RoutedFilter* const> filters() const { return filters_; }
  [[nodiscard]] bool empty() const { return filters_.empty(); }

  // Bit n: shard n wants the message.
  [[nodiscard]] std::uint64_t remote_shards() const {
    std::uint64_t shards = 0;
    for (const RoutedFilter* filter : filters_) shards |= filter->remote_shards();
    return shards;
  }

  // Calls visit(const Subscription&) for each on this shard.
  template <class Visit>
  void for_each_subscription(Visit&& visit) const {
    for (const RoutedFilter* filter : filters_) {
      for (const Subscription& subscription : filter->subscriptions()) visit(subscription);
    }
  }

 private:
  friend class SubscriptionIndex;
  std::vector<const RoutedFilter*> filters_;
};

// Which sessions of this shard, and which other shards, want a topic. Belongs to one shard.
//
// Every filter is found by its text in one hash table, and so is the exact filter that equals a
// topic; filters with wildcards also hang in a FilterTree. The cost of a match grows with the
// topic's levels and the wildcards met on the way, not with the number of filters.
//
// A subscription takes about 80 bytes when its filter is exact and nobody else's, 160 with one
// level of its own before a wildcard (bench/micro measures it), and 8 to 16 when its filter is
// there already. A table that is full doubles at once: the one insertion that does it at 860,000
// filters took 0.16 s on a shared 2-core machine.
class SubscriptionIndex {
 public:
  SubscriptionIndex();
  SubscriptionIndex(const SubscriptionIndex&) = delete;
  SubscriptionIndex& operator=(const SubscriptionIndex&) = delete;

  struct Added {
    const RoutedFilter* filter;  // stays as long as this subscription does
    bool is_new;                 // false: replaced this subscriber's own [MQTT-3.8.4-3]
    bool first_on_shard;         // the other shards must be told: add_remote() there
  };
  struct Removed {
    bool existed;
    bool last_on_shard;  // the other shards must be told: remove_remote() there
  };

  // filter: valid.
  Added add(std::string_view filter, Subscription subscription);
  // filter may be the text() of the very RoutedFilter that goes.
  Removed remove(std::string_view filter, std::uint32_t subscriber);

  // Requires shard < kMaxShards. A second call with the same arguments changes nothing.
  void add_remote(std::string_view filter, unsigned shard);
  void remove_remote(std::string_view filter, unsigned shard);

  // topic: a valid topic name. Replaces what `out` holds; reuses its memory.
  void match(std::string_view topic, Matches& out);

  // For a cache of matches: as long as stamp(place_of(topic)) stays the same, no filter came or
  // went that could match the topic, and its Matches hold. (A subscription to a filter that is
  // there already shows in the Matches by itself.) A topic's place never changes.
  struct Place {
    std::uint16_t first_level;
    std::uint16_t two_levels;
  };
  [[nodiscard]] Place place_of(std::string_view topic) const;
  [[nodiscard]] std::uint64_t stamp(Place place) const {
    return changes_everywhere_ + changes_by_first_level_[place.first_level] +
           changes_by_two_levels_[place.two_levels];
  }

  [[nodiscard]] std::size_t filter_count() const { return filters_.size(); }
  [[nodiscard]] std::size_t subscription_count() const { return subscription_count_; }

 private:
  static std::string_view text_of(std::string_view text) { return text; }
  static std::string_view text_of(const RoutedFilter::Ptr& filter) { return filter->text(); }
  struct Hash {
    using is_transparent = void;
    using is_avalanching = void;
    std::uint64_t seed;
    std::size_t operator()(const auto& of) const { return hash_text(text_of(of), seed); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const auto& a, const auto& b) const { return text_of(a) == text_of(b); }
  };

  RoutedFilter& find_or_make(std::string_view text);
  void erase_if_unwanted(RoutedFilter& filter);
  void count_change(std::string_view filter);

  std::uint64_t seed_;
  boost::unordered_flat_set<RoutedFilter::Ptr, Hash, Equal> filters_;
  FilterTree wildcards_;
  std::size_t subscription_count_ = 0;

  // Filters that came and went, counted apart by the literal levels that they begin with, so that
  // a client that comes with filters of its own leaves other clients' topics as they were.
  std::uint64_t changes_everywhere_ = 0;  // begins with a wildcard
  std::array<std::uint64_t, 1024> changes_by_first_level_{};
  std::array<std::uint64_t, 4096> changes_by_two_levels_{};
};

}  // namespace hub::broker
