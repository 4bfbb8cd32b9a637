#include "base/topic.h"

#include <gtest/gtest.h>

#include <string>

namespace hub {
namespace {

using namespace std::string_literals;

TEST(TopicName, RefusesWildcardsEmptyAndNul) {
  EXPECT_TRUE(is_valid_topic_name("devices/d1/telemetry"));
  EXPECT_TRUE(is_valid_topic_name("/"));
  EXPECT_FALSE(is_valid_topic_name(""));
  EXPECT_FALSE(is_valid_topic_name("a/+"));
  EXPECT_FALSE(is_valid_topic_name("a#"));
  EXPECT_FALSE(is_valid_topic_name("a\0b"s));
  EXPECT_FALSE(is_valid_topic_name(std::string(kMaxTopicBytes + 1, 'a')));
}

TEST(TopicName, RefusesABadByteWhereverItStands) {
  for (std::size_t bytes = 1; bytes <= 40; ++bytes) {
    const std::string good(bytes, 'x');
    ASSERT_TRUE(is_valid_topic_name(good));
    for (std::size_t at = 0; at < bytes; ++at) {
      for (const char bad : {'+', '#', '\0', '\x80', '\xFF'}) {
        std::string name = good;
        name[at] = bad;
        ASSERT_FALSE(is_valid_topic_name(name)) << int{bad} << " at " << at << " of " << bytes;
        ASSERT_EQ(is_valid_utf8_string(name), bad == '+' || bad == '#');
      }
      for (const std::string_view near : {"*", ",", "\"", "$", "\x01", "\x7F", "é", "世", "🌍"}) {
        std::string name = good;
        name.replace(at, 1, near);
        ASSERT_TRUE(is_valid_topic_name(name)) << near << " at " << at << " of " << bytes;
        ASSERT_TRUE(is_valid_utf8_string(name));
      }
    }
  }
}

TEST(Utf8String, RefusesOverlongSurrogateAndTruncated) {
  EXPECT_TRUE(is_valid_utf8_string("Grüße 世界 🌍 and more than eight ASCII bytes"));
  EXPECT_FALSE(is_valid_utf8_string("\xC0\x80"));
  EXPECT_FALSE(is_valid_utf8_string("\xED\xA0\x80"));
  EXPECT_FALSE(is_valid_utf8_string("\xF4\x90\x80\x80"));
  EXPECT_FALSE(is_valid_utf8_string("abc\xE2\x82"));
  EXPECT_FALSE(is_valid_utf8_string("12345678\0"s));
}

TEST(TopicFilter, PlacesWildcardsAsTheStandardSays) {
  for (const auto* ok : {"#", "+", "+/#", "a/+/b", "/+", "a/#", "+/+"}) {
    EXPECT_TRUE(is_valid_topic_filter(ok)) << ok;
  }
  for (const auto* bad : {"", "a#", "#/a", "a+", "+a", "a/#/b", "a/b#"}) {
    EXPECT_FALSE(is_valid_topic_filter(bad)) << bad;
  }
}

TEST(TopicMatch, FollowsSection4_7) {
  EXPECT_TRUE(topic_matches("sport/#", "sport"));
  EXPECT_TRUE(topic_matches("sport/#", "sport/a/b"));
  EXPECT_TRUE(topic_matches("sport/+", "sport/"));
  EXPECT_TRUE(topic_matches("+/+", "/finance"));
  EXPECT_TRUE(topic_matches("/+", "/finance"));
  EXPECT_TRUE(topic_matches("$SYS/#", "$SYS/x"));
  EXPECT_TRUE(topic_matches("a/+/#", "a/b"));
  EXPECT_FALSE(topic_matches("sport/+", "sport"));
  EXPECT_FALSE(topic_matches("+", "/finance"));
  EXPECT_FALSE(topic_matches("#", "$SYS/x"));
  EXPECT_FALSE(topic_matches("+/x", "$SYS/x"));
  EXPECT_FALSE(topic_matches("a/b", "a/b/c"));
  EXPECT_FALSE(topic_matches("a/b/c", "a/b"));
}

}  // namespace
}  // namespace hub
