#include "broker/routing/subscription_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/topic.h"
#include "tests/broker/routing/random_topics.h"

namespace hub::broker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// The subscribers that a topic reaches, once per subscription, sorted.
std::vector<std::uint32_t> subscribers(SubscriptionIndex& index, std::string_view topic) {
  Matches matches;
  index.match(topic, matches);
  std::vector<std::uint32_t> out;
  matches.for_each_subscription([&](const Subscription& s) { out.push_back(s.subscriber()); });
  std::sort(out.begin(), out.end());
  return out;
}

std::uint64_t remote_shards(SubscriptionIndex& index, std::string_view topic) {
  Matches matches;
  index.match(topic, matches);
  return matches.remote_shards();
}

TEST(Subscription, KeepsEveryOptionInEightBytes) {
  const SubscriptionOptions options{.qos = Qos::exactly_once,
                                    .no_local = true,
                                    .retain_as_published = true,
                                    .retain_handling = RetainHandling::do_not_send};
  const Subscription all{Subscription::kMaxSubscriber, options, Subscription::kMaxIdentifier};
  EXPECT_EQ(all.subscriber(), Subscription::kMaxSubscriber);
  EXPECT_EQ(all.identifier(), Subscription::kMaxIdentifier);
  EXPECT_EQ(all.options(), options);
  const Subscription none{0, {}};
  EXPECT_EQ(none.options(), SubscriptionOptions{});
  EXPECT_EQ(none.identifier(), 0u);
}

TEST(SubscriptionList, StaysInOrderAsItGrowsAndShrinks) {
  SubscriptionList list;
  const auto slots = [&list] {
    std::vector<std::uint32_t> out;
    for (const auto& s : list.view()) out.push_back(s.subscriber());
    return out;
  };
  for (const std::uint32_t slot : {5u, 1u, 9u, 3u, 7u, 2u}) EXPECT_TRUE(list.put({slot, {}}));
  EXPECT_THAT(slots(), ElementsAre(1, 2, 3, 5, 7, 9));
  EXPECT_FALSE(list.put({5, {.qos = Qos::at_least_once}, 77}));
  EXPECT_EQ(list.view()[3].identifier(), 77u);
  EXPECT_FALSE(list.remove(4));
  for (const std::uint32_t slot : {9u, 1u, 3u, 7u, 2u}) EXPECT_TRUE(list.remove(slot));
  EXPECT_THAT(slots(), ElementsAre(5));
  EXPECT_EQ(list.view()[0].identifier(), 77u);
  EXPECT_TRUE(list.remove(5));
  EXPECT_TRUE(list.empty());
  EXPECT_FALSE(list.remove(5));
  EXPECT_TRUE(list.put({6, {}}));
  EXPECT_THAT(slots(), ElementsAre(6));
}

TEST(SubscriptionIndex, TellsNewFromReplacedAndFirstFromFurther) {
  SubscriptionIndex index;
  const auto first = index.add("a/+", {1, {}});
  EXPECT_TRUE(first.is_new);
  EXPECT_TRUE(first.first_on_shard);
  const auto second = index.add("a/+", {2, {}});
  EXPECT_TRUE(second.is_new);
  EXPECT_FALSE(second.first_on_shard);
  EXPECT_EQ(second.filter, first.filter);
  EXPECT_EQ(second.filter->text(), "a/+");
  const auto replaced = index.add("a/+", {1, {.qos = Qos::exactly_once}, 9});
  EXPECT_FALSE(replaced.is_new);
  EXPECT_FALSE(replaced.first_on_shard);
  EXPECT_EQ(index.subscription_count(), 2u);
  EXPECT_EQ(index.filter_count(), 1u);
  EXPECT_EQ(first.filter->subscriptions()[0].qos(), Qos::exactly_once);
  EXPECT_EQ(first.filter->subscriptions()[0].identifier(), 9u);
}

TEST(SubscriptionIndex, TellsTheLastRemoval) {
  SubscriptionIndex index;
  index.add("a/+", {1, {}});
  const auto* filter = index.add("a/+", {2, {}}).filter;
  auto removed = index.remove("a/+", 3);
  EXPECT_FALSE(removed.existed || removed.last_on_shard);
  removed = index.remove("a/b", 1);
  EXPECT_FALSE(removed.existed || removed.last_on_shard);
  removed = index.remove("a/+", 1);
  EXPECT_TRUE(removed.existed);
  EXPECT_FALSE(removed.last_on_shard);
  removed = index.remove(filter->text(), 2);  // the text that goes with it
  EXPECT_TRUE(removed.existed && removed.last_on_shard);
  EXPECT_EQ(index.filter_count(), 0u);
  EXPECT_EQ(index.subscription_count(), 0u);
  EXPECT_THAT(subscribers(index, "a/b"), IsEmpty());
}

TEST(SubscriptionIndex, GivesOverlappingSubscriptionsOnceEach) {
  SubscriptionIndex index;
  index.add("a/b", {1, {}});
  index.add("a/+", {1, {}});
  index.add("a/#", {1, {}});
  index.add("#", {2, {}});
  index.add("+/b", {3, {}});
  EXPECT_THAT(subscribers(index, "a/b"), ElementsAre(1, 1, 1, 2, 3));
  EXPECT_THAT(subscribers(index, "a"), ElementsAre(1, 2));
  EXPECT_THAT(subscribers(index, "a/b/c"), ElementsAre(1, 2));
}

TEST(SubscriptionIndex, KeepsDollarTopicsFromFiltersThatBeginWithAWildcard) {  // [MQTT-4.7.2-1]
  SubscriptionIndex index;
  index.add("#", {1, {}});
  index.add("+/x", {2, {}});
  index.add("+/#", {3, {}});
  index.add("$SYS/#", {4, {}});
  index.add("$SYS/+", {5, {}});
  EXPECT_THAT(subscribers(index, "$SYS/x"), ElementsAre(4, 5));
  EXPECT_THAT(subscribers(index, "$SYS"), ElementsAre(4));
  EXPECT_THAT(subscribers(index, "a/$x"), ElementsAre(1, 3));
}

TEST(SubscriptionIndex, KnowsWhichOtherShardsWantATopic) {
  SubscriptionIndex index;
  index.add_remote("a/+", 0);
  index.add_remote("a/b", 63);
  index.add_remote("a/b", 63);
  index.add_remote("c", 5);
  EXPECT_EQ(remote_shards(index, "a/b"), 1u | std::uint64_t{1} << 63);
  EXPECT_EQ(remote_shards(index, "a/x"), 1u);
  EXPECT_EQ(remote_shards(index, "b"), 0u);
  EXPECT_THAT(subscribers(index, "a/b"), IsEmpty());

  EXPECT_TRUE(index.add("a/b", {1, {}}).first_on_shard);
  index.remove_remote("a/b", 63);
  EXPECT_EQ(remote_shards(index, "a/b"), 1u);
  EXPECT_THAT(subscribers(index, "a/b"), ElementsAre(1));
  EXPECT_TRUE(index.remove("a/b", 1).last_on_shard);
  index.remove_remote("a/+", 0);
  index.remove_remote("a/+", 0);
  index.remove_remote("never/there", 0);
  EXPECT_EQ(index.filter_count(), 1u);  // "c"
}

TEST(SubscriptionIndex, TakesFiltersOfManyThousandLevels) {
  std::string filter = "+";
  std::string topic = "x";
  while (filter.size() < 65'534) {
    filter += "/+";
    topic += "/x";
  }
  SubscriptionIndex index;
  index.add(filter, {1, {}});
  EXPECT_THAT(subscribers(index, topic), ElementsAre(1));
  EXPECT_THAT(subscribers(index, topic + "/x"), IsEmpty());
}

TEST(SubscriptionIndexStamp, ChangesWhenAFilterComesThatMatches) {
  for (const std::string_view filter : {"a/b/c", "a/b/+", "a/b/#", "a/+/c", "a/#", "+/b/c", "#"}) {
    SubscriptionIndex index;
    const auto place = index.place_of("a/b/c");
    const auto before = index.stamp(place);
    index.add(filter, {1, {}});
    const auto with = index.stamp(place);
    EXPECT_NE(with, before) << filter;
    index.add(filter, {2, {}});
    index.remove(filter, 1);
    EXPECT_EQ(index.stamp(place), with) << filter;  // the filter is still there
    index.remove(filter, 2);
    EXPECT_NE(index.stamp(place), with) << filter;
  }
}

TEST(SubscriptionIndexStamp, RarelyChangesForFiltersOfOtherClients) {
  SubscriptionIndex index;
  const auto place = index.place_of("devices/me/telemetry");
  const auto before = index.stamp(place);
  for (int i = 0; i < 1000; ++i) {
    const auto filter = "devices/d" + std::to_string(i) + (i % 2 == 0 ? "/#" : "/commands");
    index.add(filter, {1, {}});
  }
  EXPECT_LE(index.stamp(place) - before, 10u);  // one in 4,096 shares its place
}

// Against the plain list of all subscriptions, which topic_matches() goes through one by one.
TEST(SubscriptionIndex, AgreesWithAPlainListUnderRandomChanges) {
  std::mt19937 random{20'240'817};
  RandomTopics topics{random};
  SubscriptionIndex index;
  std::map<std::pair<std::string, std::uint32_t>, std::uint32_t> local;  // -> identifier
  std::set<std::pair<std::string, unsigned>> remote;
  const auto has_local = [&](const std::string& filter) {
    const auto at = local.lower_bound({filter, 0});
    return at != local.end() && at->first.first == filter;
  };

  for (int step = 0; step < 10'000; ++step) {
    const std::string filter = topics.filter();
    const std::uint32_t subscriber = random() % 20;
    const unsigned shard = random() % kMaxShards;
    switch (random() % 5) {
      case 0:
      case 1: {
        const std::uint32_t identifier = random() % 1000;
        const bool first = !has_local(filter);
        const auto added = index.add(filter, {subscriber, {}, identifier});
        ASSERT_EQ(added.first_on_shard, first);
        ASSERT_EQ(added.filter->text(), filter);
        ASSERT_EQ(added.is_new, local.insert_or_assign({filter, subscriber}, identifier).second);
        break;
      }
      case 2: {
        const bool existed = local.erase({filter, subscriber}) == 1;
        const auto removed = index.remove(filter, subscriber);
        ASSERT_EQ(removed.existed, existed);
        ASSERT_EQ(removed.last_on_shard, existed && !has_local(filter));
        break;
      }
      case 3:
        index.add_remote(filter, shard);
        remote.emplace(filter, shard);
        break;
      default:
        index.remove_remote(filter, shard);
        remote.erase({filter, shard});
        break;
    }
    ASSERT_EQ(index.subscription_count(), local.size());
    if (step % 4 != 0) continue;

    const std::string topic = topics.name();
    std::vector<std::pair<std::uint32_t, std::uint32_t>> wanted;
    for (const auto& [key, identifier] : local) {
      if (topic_matches(key.first, topic)) wanted.emplace_back(key.second, identifier);
    }
    std::uint64_t wanted_shards = 0;
    for (const auto& [pattern, n] : remote) {
      if (topic_matches(pattern, topic)) wanted_shards |= std::uint64_t{1} << n;
    }
    Matches matches;
    index.match(topic, matches);
    std::vector<std::pair<std::uint32_t, std::uint32_t>> found;
    matches.for_each_subscription(
        [&](const Subscription& s) { found.emplace_back(s.subscriber(), s.identifier()); });
    std::sort(found.begin(), found.end());
    std::sort(wanted.begin(), wanted.end());
    ASSERT_EQ(found, wanted) << topic;
    ASSERT_EQ(matches.remote_shards(), wanted_shards) << topic;
  }

  for (const auto& [key, identifier] : local) index.remove(key.first, key.second);
  for (const auto& [filter, shard] : remote) index.remove_remote(filter, shard);
  EXPECT_EQ(index.filter_count(), 0u);
  EXPECT_EQ(index.subscription_count(), 0u);
}

}  // namespace
}  // namespace hub::broker
