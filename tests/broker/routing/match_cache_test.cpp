#include "broker/routing/match_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>

#include "tests/broker/routing/random_topics.h"

namespace hub::broker {
namespace {

std::size_t subscriptions(const Matches& matches) {
  std::size_t count = 0;
  matches.for_each_subscription([&](const Subscription&) { ++count; });
  return count;
}

const SinkRoute* no_route(std::string_view) { return nullptr; }

TEST(MatchCache, AsksTheSinkOncePerTopic) {
  SubscriptionIndex index;
  int asked = 0;
  const SinkRoute route;
  MatchCache cache{index, [&](std::string_view) { return ++asked, &route; }, 100};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(cache.find("a/b").sink_route, &route);
  EXPECT_EQ(asked, 1);
}

// What each version of a sink's rules wants: routes of its own, and of some topics only.
class Versions {
 public:
  const SinkRoute* route(std::string_view topic) {
    ++asked;
    return topic.starts_with(wanted) ? &routes[version % routes.size()] : nullptr;
  }
  void exchange(MatchCache& cache, std::string_view now_wanted) {
    ++version;
    wanted = now_wanted;
    cache.set_route_version(version);
  }
  [[nodiscard]] const SinkRoute* current() const { return &routes[version % routes.size()]; }

  int asked = 0;
  std::uint64_t version = 0;
  std::string wanted = "a/";
  std::array<SinkRoute, 8> routes;
};

TEST(MatchCache, AsksTheSinkAgainWhenItsRoutesAreOfAnotherVersion) {
  SubscriptionIndex index;
  Versions sink;
  MatchCache cache{index, [&](std::string_view topic) { return sink.route(topic); }, 100};
  EXPECT_EQ(cache.find("a/1").sink_route, sink.current());
  EXPECT_EQ(cache.find("b/1").sink_route, nullptr);
  sink.exchange(cache, "a/");
  EXPECT_EQ(cache.find("a/1").sink_route, sink.current());
  sink.exchange(cache, "b/");
  EXPECT_EQ(cache.find("a/1").sink_route, nullptr);
  EXPECT_EQ(cache.find("b/1").sink_route, sink.current());
  EXPECT_EQ(cache.misses(), 2u);  // the subscribers are as they were
}

TEST(MatchCache, AsksTheSinkOncePerTopicAndVersion) {
  SubscriptionIndex index;
  Versions sink;
  MatchCache cache{index, [&](std::string_view topic) { return sink.route(topic); }, 100};
  sink.exchange(cache, "a/");
  for (int i = 0; i < 5; ++i) {
    static_cast<void>(cache.find("a/1"));
    static_cast<void>(cache.find("b/1"));
    cache.set_route_version(sink.version);  // as at each turn: no change
  }
  EXPECT_EQ(sink.asked, 2);
}

TEST(MatchCache, AnEntryThatWasNotAskedForOverAnExchangeIsNotBelievedEither) {
  SubscriptionIndex index;
  Versions sink;
  MatchCache cache{index, [&](std::string_view topic) { return sink.route(topic); }, 4};
  static_cast<void>(cache.find("a/1"));
  static_cast<void>(cache.find("a/2"));
  static_cast<void>(cache.find("a/3"));  // those before are in the older half now
  sink.exchange(cache, "b/");
  EXPECT_EQ(cache.find("a/1").sink_route, nullptr);
  const std::string longer = "b/" + std::string(MatchCache::kMaxTopicBytes, 'x');
  EXPECT_EQ(cache.find(longer).sink_route, sink.current());
  sink.exchange(cache, "a/");
  EXPECT_EQ(cache.find(longer).sink_route, nullptr);
}

TEST(MatchCache, SubscribersAndRoutesChangeIndependently) {
  SubscriptionIndex index;
  Versions sink;
  MatchCache cache{index, [&](std::string_view topic) { return sink.route(topic); }, 100};
  static_cast<void>(cache.find("a/1"));
  index.add("a/+", {1, {}});
  EXPECT_EQ(subscriptions(cache.find("a/1").matches), 1u);
  EXPECT_EQ(sink.asked, 1);
  index.add("a/#", {2, {}});
  sink.exchange(cache, "a/");
  EXPECT_EQ(subscriptions(cache.find("a/1").matches), 2u);
  EXPECT_EQ(cache.find("a/1").sink_route, sink.current());
  EXPECT_EQ(sink.asked, 2);
}

TEST(MatchCache, AsksTheIndexOncePerTopic) {
  SubscriptionIndex index;
  index.add("a/#", {1, {}});
  MatchCache cache{index, no_route, 100};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(subscriptions(cache.find("a/b").matches), 1u);
  EXPECT_EQ(cache.misses(), 1u);
  EXPECT_EQ(subscriptions(cache.find("c").matches), 0u);
  EXPECT_EQ(subscriptions(cache.find("c").matches), 0u);
  EXPECT_EQ(cache.misses(), 2u);
}

TEST(MatchCache, SeesWhatChangesAtOnce) {
  SubscriptionIndex index;
  MatchCache cache{index, no_route, 100};
  EXPECT_EQ(subscriptions(cache.find("a/b").matches), 0u);
  index.add("a/+", {1, {}});
  EXPECT_EQ(subscriptions(cache.find("a/b").matches), 1u);
  index.add("a/+", {2, {}});
  EXPECT_EQ(subscriptions(cache.find("a/b").matches), 2u);
  EXPECT_EQ(cache.misses(), 2u);  // the second subscriber came without one
  index.add_remote("a/b", 3);
  EXPECT_EQ(cache.find("a/b").matches.remote_shards(), 8u);
  index.remove("a/+", 1);
  index.remove("a/+", 2);
  EXPECT_EQ(subscriptions(cache.find("a/b").matches), 0u);
}

TEST(MatchCache, StaysWarmWhileOtherClientsComeAndGo) {
  SubscriptionIndex index;
  MatchCache cache{index, no_route, 100};
  static_cast<void>(cache.find("devices/me/telemetry"));
  for (int i = 0; i < 1000; ++i) {
    index.add("devices/d" + std::to_string(i) + "/#", {1, {}});
    static_cast<void>(cache.find("devices/me/telemetry"));
  }
  EXPECT_LE(cache.misses(), 10u);
}

TEST(MatchCache, KeepsToItsBoundAndToWhatIsAskedFor) {
  SubscriptionIndex index;
  MatchCache cache{index, no_route, 100};
  for (int i = 0; i < 1000; ++i) {
    static_cast<void>(cache.find("t/" + std::to_string(i)));
    static_cast<void>(cache.find("hot"));
    ASSERT_LE(cache.topic_count(), 100u);
  }
  EXPECT_EQ(cache.misses(), 1001u);  // "hot" once
}

TEST(MatchCache, DoesNotKeepLongTopics) {
  SubscriptionIndex index;
  index.add("#", {1, {}});
  MatchCache cache{index, no_route, 100};
  const std::string topic(MatchCache::kMaxTopicBytes + 1, 'x');
  EXPECT_EQ(subscriptions(cache.find(topic).matches), 1u);
  EXPECT_EQ(subscriptions(cache.find(topic).matches), 1u);
  EXPECT_EQ(cache.topic_count(), 0u);
}

TEST(MatchCache, AgreesWithTheIndexUnderRandomChanges) {
  std::mt19937 random{4'711};
  RandomTopics topics{random};
  SubscriptionIndex index;
  MatchCache cache{index, no_route, 64};
  for (int step = 0; step < 10'000; ++step) {
    const std::string filter = topics.filter();
    const std::uint32_t subscriber = random() % 4;
    if (random() % 2 == 0) {
      index.add(filter, {subscriber, {}});
    } else {
      index.remove(filter, subscriber);
    }
    const std::string topic = topics.name();
    Matches fresh;
    index.match(topic, fresh);
    const Matches& cached = cache.find(topic).matches;
    ASSERT_TRUE(std::ranges::equal(cached.filters(), fresh.filters())) << topic;
  }
}

}  // namespace
}  // namespace hub::broker
