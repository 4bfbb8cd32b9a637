#include "broker/routing/subscription_index.h"

#include <cassert>
#include <random>

#include "broker/routing/topic_levels.h"

namespace hub::broker {
namespace {

std::uint64_t random_seed() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

}  // namespace

SubscriptionIndex::SubscriptionIndex()
    : seed_(random_seed()), filters_(0, Hash{seed_}), wildcards_(seed_) {}

SubscriptionIndex::Added SubscriptionIndex::add(std::string_view text, Subscription subscription) {
  RoutedFilter& filter = find_or_make(text);
  const bool first = filter.local_.empty();
  const bool is_new = filter.local_.put(subscription);
  if (is_new) ++subscription_count_;
  return {.filter = &filter, .is_new = is_new, .first_on_shard = first};
}

SubscriptionIndex::Removed SubscriptionIndex::remove(std::string_view text,
                                                     std::uint32_t subscriber) {
  const auto found = filters_.find(text);
  if (found == filters_.end() || !(*found)->local_.remove(subscriber)) {
    return {.existed = false, .last_on_shard = false};
  }
  --subscription_count_;
  const bool last = (*found)->local_.empty();
  erase_if_unwanted(**found);
  return {.existed = true, .last_on_shard = last};
}

void SubscriptionIndex::add_remote(std::string_view text, unsigned shard) {
  assert(shard < kMaxShards);
  find_or_make(text).remote_shards_ |= std::uint64_t{1} << shard;
}

void SubscriptionIndex::remove_remote(std::string_view text, unsigned shard) {
  assert(shard < kMaxShards);
  const auto found = filters_.find(text);
  if (found == filters_.end()) return;
  (*found)->remote_shards_ &= ~(std::uint64_t{1} << shard);
  erase_if_unwanted(**found);
}

void SubscriptionIndex::match(std::string_view topic, Matches& out) {
  out.filters_.clear();
  if (const auto exact = filters_.find(topic); exact != filters_.end()) {
    out.filters_.push_back(exact->get());
  }
  wildcards_.match(topic, out.filters_);
}

RoutedFilter& SubscriptionIndex::find_or_make(std::string_view text) {
  if (const auto found = filters_.find(text); found != filters_.end()) return **found;
  RoutedFilter& filter = **filters_.insert(RoutedFilter::make(text)).first;
  if (has_wildcard(text)) wildcards_.link(filter);
  count_change(text);
  return filter;
}

void SubscriptionIndex::erase_if_unwanted(RoutedFilter& filter) {
  if (!filter.unwanted()) return;
  const std::string_view text = filter.text();
  if (has_wildcard(text)) wildcards_.unlink(text);
  count_change(text);
  filters_.erase(filters_.find(text));
}

SubscriptionIndex::Place SubscriptionIndex::place_of(std::string_view topic) const {
  const std::size_t slash = topic.find('/');
  const std::size_t second = slash == std::string_view::npos ? slash : topic.find('/', slash + 1);
  const auto bucket = [&](std::size_t bytes, std::size_t buckets) {
    return static_cast<std::uint16_t>(hash_text(topic.substr(0, bytes), seed_) % buckets);
  };
  return {.first_level = bucket(slash, changes_by_first_level_.size()),
          .two_levels = bucket(second, changes_by_two_levels_.size())};
}

void SubscriptionIndex::count_change(std::string_view filter) {
  TopicLevels levels{filter};
  if (is_wildcard_level(levels.next())) {
    ++changes_everywhere_;
  } else if (levels.done() || is_wildcard_level(levels.next())) {
    ++changes_by_first_level_[place_of(filter).first_level];
  } else {
    ++changes_by_two_levels_[place_of(filter).two_levels];
  }
}

}  // namespace hub::broker
