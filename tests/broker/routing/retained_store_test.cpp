#include "broker/routing/retained_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/topic.h"
#include "tests/broker/routing/random_topics.h"

namespace hub::broker {
namespace {

using Store = RetainedStore<std::shared_ptr<const int>>;
using Outcome = Store::Outcome;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Store::Limits kRoomy{.messages = 1'000'000, .bytes = 1'000'000'000};

std::shared_ptr<const int> message(int value) { return std::make_shared<const int>(value); }

Store store_of(std::initializer_list<std::string_view> topics) {
  Store store{kRoomy};
  for (const auto topic : topics) EXPECT_EQ(store.set(topic, message(1), 1), Outcome::stored);
  return store;
}

std::vector<std::string> topics(const Store& store, std::string_view filter) {
  std::vector<std::string> out;
  store.match(filter, [&](std::string_view topic, const auto&) { out.emplace_back(topic); });
  return out;
}

TEST(RetainedStore, ReplacesAndErases) {
  Store store{kRoomy};
  EXPECT_EQ(store.set("a", message(1), 10), Outcome::stored);
  EXPECT_EQ(store.set("a", message(2), 20), Outcome::replaced);
  EXPECT_EQ(*store.find("a"), 2);
  EXPECT_EQ(store.size(), 1u);
  EXPECT_EQ(store.bytes(), 21u);  // with the topic's own
  EXPECT_TRUE(store.erase("a"));
  EXPECT_FALSE(store.erase("a"));
  EXPECT_EQ(store.find("a"), nullptr);
  EXPECT_EQ(store.bytes(), 0u);
}

TEST(RetainedStore, MatchesExactlyAndByWildcard) {
  const Store store = store_of({"a", "a!", "a/b", "a/b/c", "a/c", "a0", "b/b", "/a", "$S/x"});
  EXPECT_THAT(topics(store, "a/b"), ElementsAre("a/b"));
  EXPECT_THAT(topics(store, "a/x"), IsEmpty());
  EXPECT_THAT(topics(store, "a/#"), ElementsAre("a", "a/b", "a/b/c", "a/c"));
  EXPECT_THAT(topics(store, "a/+"), ElementsAre("a/b", "a/c"));
  EXPECT_THAT(topics(store, "+/b"), ElementsAre("a/b", "b/b"));
  EXPECT_THAT(topics(store, "+/b/#"), ElementsAre("a/b", "a/b/c", "b/b"));
  EXPECT_THAT(topics(store, "+/+/c"), ElementsAre("a/b/c"));
  EXPECT_THAT(topics(store, "/+"), ElementsAre("/a"));
  EXPECT_THAT(topics(store, "#").size(), 8u);
}

TEST(RetainedStore, KeepsDollarTopicsFromFiltersThatBeginWithAWildcard) {  // [MQTT-4.7.2-1]
  const Store store = store_of({"$S/x", "$S", "!/x", "a/x"});
  EXPECT_THAT(topics(store, "+/x"), ElementsAre("!/x", "a/x"));
  EXPECT_THAT(topics(store, "$S/#"), ElementsAre("$S", "$S/x"));
  EXPECT_THAT(topics(store, "$S/+"), ElementsAre("$S/x"));
}

TEST(RetainedStore, RefusesByNameAndChangesNothing) {
  Store store{{.messages = 2, .bytes = 20}};
  EXPECT_EQ(store.set("a", message(1), 9), Outcome::stored);
  EXPECT_EQ(store.set("b", message(2), 10), Outcome::too_many_bytes);
  EXPECT_EQ(store.set("b", message(2), 9), Outcome::stored);
  EXPECT_EQ(store.set("c", message(3), 0), Outcome::too_many_messages);
  EXPECT_EQ(store.set("a", message(4), 10), Outcome::too_many_bytes);
  EXPECT_EQ(store.set("a", message(4), static_cast<std::size_t>(-2)), Outcome::too_many_bytes);
  EXPECT_EQ(*store.find("a"), 1);
  EXPECT_EQ(store.find("c"), nullptr);
  EXPECT_EQ(store.bytes(), 20u);
  EXPECT_EQ(store.set("a", message(5), 8), Outcome::replaced);
  EXPECT_EQ(store.bytes(), 19u);
}

TEST(RetainedStore, ErasesWhatAPredicateNames) {
  Store store{kRoomy};
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(store.set("t" + std::to_string(i), message(i), 3), Outcome::stored);
  }
  EXPECT_EQ(store.erase_if([](std::string_view, int value) { return value % 2 == 0; }), 5u);
  EXPECT_EQ(store.size(), 5u);
  EXPECT_EQ(store.bytes(), 25u);
  EXPECT_THAT(topics(store, "#"), ElementsAre("t1", "t3", "t5", "t7", "t9"));
}

// Against topic_matches() on every topic, in order.
TEST(RetainedStore, AgreesWithAPlainListUnderRandomChanges) {
  std::mt19937 random{99};
  RandomTopics random_topics{random};
  Store store{kRoomy};
  std::set<std::string> all;
  for (int step = 0; step < 10'000; ++step) {
    const std::string topic = random_topics.name();
    if (random() % 2 == 0) {
      ASSERT_EQ(store.set(topic, message(step), 1),
                all.insert(topic).second ? Outcome::stored : Outcome::replaced);
    } else {
      ASSERT_EQ(store.erase(topic), all.erase(topic) == 1);
    }
    const std::string filter = random_topics.filter();
    std::vector<std::string> wanted;
    for (const auto& t : all) {
      if (topic_matches(filter, t)) wanted.push_back(t);
    }
    ASSERT_EQ(topics(store, filter), wanted) << filter;
  }
}

}  // namespace
}  // namespace hub::broker
