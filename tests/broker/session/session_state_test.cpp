#include "broker/session/session_state.h"

#include <gtest/gtest.h>

namespace hub::broker {
namespace {

constexpr SubscriptionOptions kOptions{Qos::exactly_once, true, true,
                                             RetainHandling::do_not_send};

// A session with its subscriptions in an index of its own.
struct Sample {
  SubscriptionIndex index;
  Session session;

  Sample() { session.handle = 77; }
  void subscribe(std::string_view filter, SubscriptionOptions options, std::uint32_t id) {
    session.subscriptions.push_back(index.add(filter, {session.slot(), options, id}).filter);
  }
  void fill() {
    session.expiry_seconds = 3'600;
    subscribe("a/+/b", kOptions, 268'435'455);
    subscribe("#", {}, 0);
    session.inbound_flows().begin(mqtt::PacketId{513}, Qos::exactly_once, true);
  }
  bool decode(std::string_view state) {
    return decode_session_state(state, session, [this](auto filter, auto options, auto id) {
      subscribe(filter, options, id);
    });
  }
};

TEST(SessionState, SurvivesARoundTrip) {
  Sample sample;
  sample.fill();
  const std::string bytes = encode_session_state(sample.session);
  Sample back;
  ASSERT_TRUE(back.decode(bytes));
  EXPECT_EQ(back.session.expiry_seconds, 3'600u);
  ASSERT_EQ(back.session.subscriptions.size(), 2u);
  EXPECT_EQ(back.session.subscriptions[0]->text(), "a/+/b");
  EXPECT_EQ(back.session.subscriptions[0]->subscriptions()[0].options(), kOptions);
  EXPECT_EQ(back.session.subscriptions[0]->subscriptions()[0].identifier(), 268'435'455u);
  EXPECT_EQ(back.session.subscriptions[1]->text(), "#");
  EXPECT_EQ(back.session.inbound->arrival(mqtt::PacketId{513}, Qos::exactly_once, true),
            mqtt::InboundFlows::Arrival::recorded);
  EXPECT_EQ(encode_session_state(back.session), bytes);
}

TEST(SessionState, OfASessionThatHasNothingIsThatItExists) {
  Session session;
  session.expiry_seconds = 60;
  const std::string bytes = encode_session_state(session);
  EXPECT_EQ(bytes.size(), kBareSessionStateBytes);
  Sample back;
  ASSERT_TRUE(back.decode(bytes));
  EXPECT_EQ(back.session.expiry_seconds, 60u);
  EXPECT_TRUE(back.session.subscriptions.empty());
}

TEST(SessionState, IsEmptyWhenTheSessionEndsWithItsConnection) {
  Sample sample;
  sample.fill();
  sample.session.expiry_seconds = 0;
  EXPECT_EQ(encode_session_state(sample.session), "");
}

TEST(SessionState, RefusesEveryPrefixAndEveryTail) {
  Sample sample;
  sample.fill();
  const std::string bytes = encode_session_state(sample.session);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(Sample{}.decode(bytes.substr(0, length))) << length;
  }
  EXPECT_FALSE(Sample{}.decode(bytes + "x"));
}

}  // namespace
}  // namespace hub::broker
