#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/sink_route.h"
#include "base/text_hash.h"
#include "broker/routing/subscription_index.h"

namespace hub::broker {

// Who gets the messages of a topic.
struct Interest {
  Matches matches;                        // subscribers
  const SinkRoute* sink_route = nullptr;  // rules
};

// Remembers who wants a topic, as the topics of telemetry repeat. Belongs to one shard.
//
// An entry's subscribers are believed as long as no filter came or went that could match its topic,
// so that sessions that come and go with filters of their own leave the others' topics warm; its
// rules, as long as the routes are of the version under which they were asked for. Holds at most
// `max_topics`; when full, topics that were not asked for since it was last half full go.
class MatchCache {
 public:
  // Longer topics are matched each time, which bounds the memory: a peer chooses the topics.
  static constexpr std::size_t kMaxTopicBytes = 256;

  // route_of: asks the sink, whose answer for a topic is the same within a version of the routes.
  using RouteOf = std::function<const SinkRoute*(std::string_view topic)>;
  // The index must outlive the cache.
  MatchCache(SubscriptionIndex& index, RouteOf route_of, std::size_t max_topics)
      : index_(index), route_of_(std::move(route_of)), max_recent_((max_topics + 1) / 2) {}

  // At first 0. To be told before the next find() when it changes: what a route of another version
  // points to may be gone.
  void set_route_version(std::uint64_t version) noexcept { route_version_ = version; }

  // Valid until the next call, or until the index changes.
  [[nodiscard]] const Interest& find(std::string_view topic);

  [[nodiscard]] std::size_t topic_count() const { return recent_.size() + older_.size(); }
  // Calls that had to ask the index, not the sink alone.
  [[nodiscard]] std::uint64_t misses() const { return misses_; }

 private:
  struct Hash {
    using is_transparent = void;
    using is_avalanching = void;
    std::size_t operator()(std::string_view text) const { return hash_text(text, 0x6D61'7463); }
  };
  struct Entry {
    SubscriptionIndex::Place place{};
    std::uint64_t stamp = 0;
    std::uint64_t route_version = 0;
    Interest interest;
  };
  using Topics = boost::unordered_flat_map<std::string, Entry, Hash, std::equal_to<>>;

  void ask_sink(std::string_view topic, Entry& entry);
  Entry& remember(std::string_view topic, Entry entry);

  SubscriptionIndex& index_;
  RouteOf route_of_;
  std::uint64_t route_version_ = 0;
  std::size_t max_recent_;
  Topics recent_;
  Topics older_;
  Interest uncached_;
  std::uint64_t misses_ = 0;
};

}  // namespace hub::broker
