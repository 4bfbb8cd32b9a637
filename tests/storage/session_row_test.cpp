#include "storage/session_row.h"

#include <gtest/gtest.h>

#include "storage/session_changes.h"

namespace hub::storage {
namespace {

constexpr SubscriptionOptions kOptions{Qos::exactly_once, true, true, RetainHandling::do_not_send};

const std::vector<DurableSubscription> kSubscriptions = {
    {"a/+/b", kOptions, DurableSubscription::kMaxIdentifier}, {"#", {}, 0}};
const std::vector<std::uint16_t> kPacketIds = {513, 65'535};
const SessionKept kSession{"c1", 3'600, kSubscriptions, kPacketIds};

std::string row_of(const SessionKept& session) {
  ByteBuffer out;
  append_session_row(out, session);
  return std::string(out.view());
}

TEST(SessionRow, SurvivesARoundTrip) {
  const auto back = read_session_row("c1", row_of(kSession));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, (StoredSession{
                       .client_id = "c1",
                       .expiry_seconds = 3'600,
                       .subscriptions = {{"a/+/b", kOptions, 268'435'455}, {"#", {}, 0}},
                       .packet_ids = {513, 65'535},
                   }));
}

// Databases and spools have it.
TEST(SessionRow, IsTheBytesOfFormOne) {
  constexpr std::string_view kBytes(
      "\x01"
      "\x00\x00\x0e\x10"
      "\x00\x00\x00\x02"
      "\x0f\xff\xff\xff\x2e\x00\x05"
      "a/+/b"
      "\x00\x00\x00\x00\x00\x00\x01#"
      "\x00\x00\x00\x02\x02\x01\xff\xff",
      37);
  EXPECT_EQ(row_of(kSession), kBytes);
}

TEST(SessionRow, OfASessionThatHasNothingIsThatItExists) {
  const SessionKept bare{"c1", 60, {}, {}};
  EXPECT_TRUE(bare.is_bare());
  EXPECT_EQ(row_of(bare), std::string_view("\x01\0\0\0\x3c\0\0\0\0\0\0\0\0", 13));
  EXPECT_EQ(read_session_row("c1", row_of(bare)),
            (StoredSession{.client_id = "c1", .expiry_seconds = 60}));
}

TEST(SessionRow, RefusesEveryPrefixAndEveryTail) {
  const std::string row = row_of(kSession);
  for (std::size_t length = 0; length < row.size(); ++length) {
    EXPECT_FALSE(read_session_row("c1", row.substr(0, length))) << length;
  }
  EXPECT_FALSE(read_session_row("c1", row + "x"));
}

TEST(SessionRow, RefusesWhatNoSessionHas) {
  constexpr DurableSubscription kPlain{"a", {}, 0};
  const auto refused = [](std::string row, std::size_t at, std::string_view bytes) {
    row.replace(at, bytes.size(), bytes);
    return !read_session_row("c1", row);
  };
  const std::string one = row_of({"c1", 1, {&kPlain, 1}, {&kPacketIds[0], 1}});
  ASSERT_FALSE(refused(one, 0, ""));
  EXPECT_TRUE(refused(one, 0, "\x02")) << "another form";
  EXPECT_TRUE(refused(one, 4, std::string_view("\0", 1))) << "it ends with its connection";
  EXPECT_TRUE(refused(one, 5, "\xff\xff\xff\xff")) << "more subscriptions than bytes";
  EXPECT_TRUE(refused(one, 9, "\x10")) << "an identifier that there is not";
  EXPECT_TRUE(refused(one, 13, "\x03")) << "a QoS that there is not";
  EXPECT_TRUE(refused(one, 13, "\x30")) << "options that there are not";
  EXPECT_TRUE(refused(one, 16, "+a"));
  EXPECT_TRUE(refused(one, 16, std::string_view("\0", 1))) << "no topic filter";
  EXPECT_TRUE(refused(one, 17, "\xff\xff\xff\xff")) << "more packet ids than bytes";
  EXPECT_TRUE(refused(one, 21, std::string_view("\0\0", 2))) << "no packet id";
}

TEST(SessionRow, IsTheSameOnceItIsReadAndWrittenWhateverTheBytes) {
  const std::string row = row_of(kSession);
  int taken = 0;
  for (std::size_t at = 0; at < row.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string wrong = row;
      wrong[at] = static_cast<char>(wrong[at] ^ (1 << bit));
      const auto back = read_session_row("c1", wrong);
      if (!back) continue;
      ++taken;
      std::vector<DurableSubscription> subscriptions;
      for (const auto& each : back->subscriptions) {
        subscriptions.push_back({each.filter, each.options, each.identifier});
      }
      EXPECT_EQ(row_of({"c1", back->expiry_seconds, subscriptions, back->packet_ids}), wrong);
    }
  }
  EXPECT_GT(taken, 0);
}

TEST(SessionChanges, TheLastOfEachClientIsLeftInTheOrderOfTheClientIds) {
  SessionChanges changes;
  const std::size_t bytes = changes.add(SessionKept{"c2", 1, {}, {}});
  EXPECT_EQ(changes.add(SessionKept{"c1", 2, {}, {}}), bytes);
  changes.add(SessionGone{"c3"});
  changes.add(SessionGone{"c1"});
  changes.add(SessionKept{"c2", 3, {}, {}});
  changes.add(SessionKept{"c3", 4, {}, {}});
  changes.keep_last_of_each_client();
  ASSERT_EQ(changes.count(), 3u);
  EXPECT_EQ(changes[0].client_id, "c1");
  EXPECT_EQ(changes[0].row, "");
  EXPECT_EQ(changes[1].client_id, "c2");
  EXPECT_EQ(changes[1].row, row_of({"c2", 3, {}, {}}));
  EXPECT_EQ(changes[2].client_id, "c3");
  EXPECT_EQ(changes[2].row, row_of({"c3", 4, {}, {}}));
}

}  // namespace
}  // namespace hub::storage
