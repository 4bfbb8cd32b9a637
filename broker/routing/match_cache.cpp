#include "broker/routing/match_cache.h"

#include <utility>

namespace hub::broker {

const Interest& MatchCache::find(std::string_view topic) {
  if (const auto found = recent_.find(topic); found != recent_.end()) [[likely]] {
    Entry& entry = found->second;
    const std::uint64_t stamp = index_.stamp(entry.place);
    if (entry.stamp != stamp) {
      ++misses_;
      index_.match(topic, entry.interest.matches);
      entry.stamp = stamp;
    }
    // An older route must not even be looked at: its version is gone.
    if (entry.route_version != route_version_) [[unlikely]] {
      ask_sink(topic, entry);
    }
    return entry.interest;
  }
  if (topic.size() > kMaxTopicBytes) {
    ++misses_;
    index_.match(topic, uncached_.matches);
    uncached_.sink_route = route_of_(topic);
    return uncached_;
  }
  if (const auto found = older_.find(topic); found != older_.end()) {
    Entry entry = std::move(found->second);
    older_.erase(found);
    remember(topic, std::move(entry));
    return find(topic);
  }
  ++misses_;
  Entry entry;
  entry.place = index_.place_of(topic);
  entry.stamp = index_.stamp(entry.place);
  index_.match(topic, entry.interest.matches);
  ask_sink(topic, entry);
  return remember(topic, std::move(entry)).interest;
}

void MatchCache::ask_sink(std::string_view topic, Entry& entry) {
  entry.interest.sink_route = route_of_(topic);
  entry.route_version = route_version_;
}

MatchCache::Entry& MatchCache::remember(std::string_view topic, Entry entry) {
  if (recent_.size() >= max_recent_) {
    older_ = std::move(recent_);
    recent_ = Topics{};
  }
  return recent_.insert_or_assign(std::string{topic}, std::move(entry)).first->second;
}

}  // namespace hub::broker
