#include "broker/match_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "tests/broker/random_topics.h"

namespace hub {
namespace {

std::size_t subscriptions(const Matches& matches) {
  std::size_t count = 0;
  matches.for_each_subscription([&](const Subscription&) { ++count; });
  return count;
}

TEST(MatchCache, AsksTheIndexOncePerTopic) {
  SubscriptionIndex index;
  index.add("a/#", {1, {}});
  MatchCache cache{index, 100};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(subscriptions(cache.match("a/b")), 1u);
  EXPECT_EQ(cache.misses(), 1u);
  EXPECT_EQ(subscriptions(cache.match("c")), 0u);
  EXPECT_EQ(subscriptions(cache.match("c")), 0u);
  EXPECT_EQ(cache.misses(), 2u);
}

TEST(MatchCache, SeesWhatChangesAtOnce) {
  SubscriptionIndex index;
  MatchCache cache{index, 100};
  EXPECT_EQ(subscriptions(cache.match("a/b")), 0u);
  index.add("a/+", {1, {}});
  EXPECT_EQ(subscriptions(cache.match("a/b")), 1u);
  index.add("a/+", {2, {}});
  EXPECT_EQ(subscriptions(cache.match("a/b")), 2u);
  EXPECT_EQ(cache.misses(), 2u);  // the second subscriber came without one
  index.add_remote("a/b", 3);
  EXPECT_EQ(cache.match("a/b").remote_shards(), 8u);
  index.remove("a/+", 1);
  index.remove("a/+", 2);
  EXPECT_EQ(subscriptions(cache.match("a/b")), 0u);
}

TEST(MatchCache, StaysWarmWhileOtherClientsComeAndGo) {
  SubscriptionIndex index;
  MatchCache cache{index, 100};
  static_cast<void>(cache.match("devices/me/telemetry"));
  for (int i = 0; i < 1000; ++i) {
    index.add("devices/d" + std::to_string(i) + "/#", {1, {}});
    static_cast<void>(cache.match("devices/me/telemetry"));
  }
  EXPECT_LE(cache.misses(), 10u);
}

TEST(MatchCache, KeepsToItsBoundAndToWhatIsAskedFor) {
  SubscriptionIndex index;
  MatchCache cache{index, 100};
  for (int i = 0; i < 1000; ++i) {
    static_cast<void>(cache.match("t/" + std::to_string(i)));
    static_cast<void>(cache.match("hot"));
    ASSERT_LE(cache.topic_count(), 100u);
  }
  EXPECT_EQ(cache.misses(), 1001u);  // "hot" once
}

TEST(MatchCache, DoesNotKeepLongTopics) {
  SubscriptionIndex index;
  index.add("#", {1, {}});
  MatchCache cache{index, 100};
  const std::string topic(MatchCache::kMaxTopicBytes + 1, 'x');
  EXPECT_EQ(subscriptions(cache.match(topic)), 1u);
  EXPECT_EQ(subscriptions(cache.match(topic)), 1u);
  EXPECT_EQ(cache.topic_count(), 0u);
}

TEST(MatchCache, AgreesWithTheIndexUnderRandomChanges) {
  std::mt19937 random{4'711};
  RandomTopics topics{random};
  SubscriptionIndex index;
  MatchCache cache{index, 64};
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
    const Matches& cached = cache.match(topic);
    ASSERT_TRUE(std::ranges::equal(cached.filters(), fresh.filters())) << topic;
  }
}

}  // namespace
}  // namespace hub
