// Sessions without a socket, a clock or a thread: bytes and facts in, effects out.
#include "broker/session/packet_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/topic.h"
#include "broker/routing/match_cache.h"
#include "tests/support/mqtt_client_codec.h"

namespace hub::broker {
namespace {

using mqtt::PacketType;
using mqtt::ProtocolVersion;
using mqtt::ReasonCode;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr SteadyTime kStart{std::chrono::hours{1}};

// Writes down what the sessions ask for. Topics below "rows/" have to be stored.
class World : public ClientEffects, public RoutingEffects, public ShardEffects {
 public:
  // ClientEffects
  std::string& output(Channel& channel) override { return sent[channel.handle]; }
  std::size_t unsent_bytes(const Channel& channel) const override {
    const auto found = sent.find(channel.handle);
    return found == sent.end() ? 0 : found->second.size();
  }
  void keep_output(Channel&) override { done.emplace_back("keep output"); }
  void release_output(Channel&) override { done.emplace_back("release output"); }
  void wait_for_room(Channel&) override { done.emplace_back("wait for room"); }
  void close(Channel& channel) override {
    EXPECT_EQ(channel.stage, Channel::Stage::closing);
    done.emplace_back("close");
  }
  void drop(Channel& channel) override {
    EXPECT_EQ(channel.session, nullptr);
    done.emplace_back("drop");
  }
  void hand_over(Channel&, std::uint32_t shard) override {
    done.push_back("hand over to " + std::to_string(shard));
  }
  std::string peer(const Channel&) const override { return "a test"; }

  // RoutingEffects
  Destination destination(std::string_view topic) override {
    EXPECT_TRUE(is_valid_topic_name(topic)) << topic;
    return {interest, topic.starts_with("rows/")};
  }
  MessageView new_message() override {
    MessageView view;
    view.id = {1, ++messages};
    return view;
  }
  bool route(RoutedMessage& message, const Interest&, std::uint64_t) override {
    routed.push_back(std::string{message.view.topic} + "=" + std::string{message.view.payload});
    const bool stored = message.view.topic.starts_with("rows/");
    if (stored) room -= static_cast<std::int64_t>(message.view.payload.size());
    return stored;
  }
  Added subscribe(std::string_view, std::uint32_t, SubscriptionOptions, std::uint32_t) override {
    return {nullptr, true};
  }
  void unsubscribe(const RoutedFilter&, std::uint32_t) override {}
  DurableSubscription subscription(const RoutedFilter&, std::uint32_t) const override { return {}; }
  std::string_view text(const RoutedFilter&) const override { return {}; }
  void await_interest(std::uint64_t request) override { awaited = request; }
  void send_retained(std::uint64_t, std::vector<RetainedWish>) override {}

  // ShardEffects
  std::int64_t room_bytes() const override { return room; }
  std::int64_t parked_bytes() const override { return 0; }
  void acknowledge_after_commit(AckToken token) override { tokens.push_back(token); }
  void durable_change_waits() override { done.emplace_back("durable change"); }
  void make_durable(const DurableChange& change) override {
    if (const auto* kept = std::get_if<SessionKept>(&change)) {
      packet_ids.assign(kept->packet_ids.begin(), kept->packet_ids.end());
    }
  }
  void wake_at(SteadyTime at, Wake, std::uint64_t) override { wake = at; }

  std::map<std::uint64_t, std::string> sent;  // by channel
  std::vector<std::string> done;
  std::vector<std::string> routed;
  std::vector<AckToken> tokens;
  std::vector<std::uint16_t> packet_ids;
  std::optional<SteadyTime> wake;
  std::uint64_t awaited = 0;
  std::int64_t room = 1 << 20;
  std::uint64_t messages = 0;
  Interest interest;
};

class PacketHandlerTest : public testing::Test {
 protected:
  PacketHandlerTest() { channel.handle = 1; }

  void connect(ProtocolVersion version = ProtocolVersion::v5, std::uint32_t session_expiry = 0) {
    mqtt::client::Connect connect{.version = version, .client_id = "d1"};
    if (session_expiry > 0) {
      connect.properties.u32(mqtt::PropertyId::session_expiry_interval, session_expiry);
    }
    give(mqtt::client::encode(connect));
    ASSERT_EQ(channel.stage, Channel::Stage::open);
    world.sent.clear();
  }
  std::size_t give(std::string bytes) {
    const std::size_t size = bytes.size();
    bytes.resize(size + kPayloadPadding);
    return handler.on_bytes(channel, {bytes.data(), size});
  }
  std::size_t publish(std::string_view topic, Qos qos, std::uint16_t id,
                      std::string_view payload = "1") {
    return give(mqtt::client::encode(mqtt::client::Publish{.version = channel.version,
                                                           .topic = std::string{topic},
                                                           .payload = std::string{payload},
                                                           .qos = qos,
                                                           .packet_id = id}));
  }
  // The types of the packets that the client got.
  std::vector<PacketType> answers() {
    std::vector<PacketType> types;
    std::string_view left = world.sent[1];
    while (!left.empty()) {
      const auto frame = mqtt::peek_frame(left, 1 << 20, ProtocolVersion::v5);
      types.push_back(frame.type);
      left.remove_prefix(frame.packet_bytes());
    }
    world.sent.clear();
    return types;
  }

  World world;
  SessionOptions options;
  SessionCounters counters;
  TurnTime time{kStart, {}};
  PacketHandler handler{options, counters, time, world, world, world, {}};
  Channel channel;
};

TEST_F(PacketHandlerTest, AnswersAStoredPublishOnlyOnceItsTokenComesBack) {
  connect();
  publish("rows/a", Qos::at_least_once, 7);
  EXPECT_THAT(world.routed, ElementsAre("rows/a=1"));
  EXPECT_THAT(answers(), IsEmpty());
  ASSERT_EQ(world.tokens.size(), 1u);
  EXPECT_EQ(world.tokens[0].owed, AckToken::Owed::puback);
  EXPECT_EQ(world.tokens[0].packet_id, 7);
  handler.on_durable(world.tokens[0]);
  EXPECT_THAT(answers(), ElementsAre(PacketType::puback));
}

TEST_F(PacketHandlerTest, AcknowledgesAtOnceWhatNobodyStores) {
  connect();
  publish("elsewhere", Qos::at_least_once, 7);
  EXPECT_THAT(answers(), ElementsAre(PacketType::puback));
  EXPECT_THAT(world.tokens, IsEmpty());
}

TEST_F(PacketHandlerTest, KeepsTheOrderOfAcknowledgements) {  // [MQTT-4.6.0-2]
  connect();
  publish("rows/a", Qos::at_least_once, 1);
  publish("elsewhere", Qos::at_least_once, 2);
  EXPECT_THAT(answers(), IsEmpty());
  ASSERT_EQ(world.tokens.size(), 2u);
  handler.on_durable(world.tokens[0]);
  EXPECT_EQ(world.sent[1].size(), 4u) << "the second waits for its own";
  handler.on_durable(world.tokens[1]);
  EXPECT_EQ(world.sent[1].substr(2, 2), std::string("\0\1", 2));
  EXPECT_EQ(world.sent[1].substr(6, 2), std::string("\0\2", 2));
}

TEST_F(PacketHandlerTest, MakesThePacketIdOfAQos2MessageDurableBeforeItsTokenIsGiven) {
  connect(ProtocolVersion::v5, 100);
  world.done.clear();
  publish("rows/a", Qos::exactly_once, 513);
  EXPECT_THAT(world.done, ElementsAre("durable change"));
  handler.on_batch_closing();
  EXPECT_THAT(world.packet_ids, ElementsAre(513));
}

TEST_F(PacketHandlerTest, SendsNothingForATokenOfASessionThatHasEnded) {
  connect();
  publish("rows/a", Qos::at_least_once, 7);
  handler.on_connection_lost(channel, SessionLifecycle::Will::publish);
  EXPECT_EQ(handler.session_count(), 0u);
  handler.on_durable(world.tokens[0]);
  EXPECT_THAT(answers(), IsEmpty());
}

TEST_F(PacketHandlerTest, LeavesAPublishUnreadThatStorageHasNoRoomFor) {
  connect();
  world.room = 0;
  EXPECT_EQ(publish("rows/a", Qos::at_least_once, 1), 0u);
  EXPECT_THAT(world.done, ElementsAre("wait for room"));
  EXPECT_THAT(world.routed, IsEmpty());
  EXPECT_GT(publish("elsewhere", Qos::at_least_once, 2), 0u) << "that needs none";
}

TEST_F(PacketHandlerTest, WantsNothingMoreOfAPublishThatHasToWait) {
  connect();
  const std::string whole =
      mqtt::client::encode(mqtt::client::Publish{.topic = "rows/a",
                                                 .payload = std::string(1'000, 'x'),
                                                 .qos = Qos::at_least_once,
                                                 .packet_id = 1});
  const std::string_view head = std::string_view{whole}.substr(0, 100);
  EXPECT_EQ(handler.readable_bytes(channel, head, 5), whole.size() - head.size());
  EXPECT_EQ(handler.readable_bytes(channel, {}, 5), 5u);
  world.room = 0;
  EXPECT_EQ(handler.readable_bytes(channel, head, 5), 0u);
}

TEST_F(PacketHandlerTest, LooksUpNoTopicOfAPublishThatIsNotWhole) {
  connect();
  world.room = 0;
  for (const char* topic : {"+/+/+", "rows/#", "$SYS/a"}) {
    const std::string whole =
        mqtt::client::encode(mqtt::client::Publish{.topic = topic,
                                                   .payload = std::string(1'000, 'x'),
                                                   .qos = Qos::at_least_once,
                                                   .packet_id = 1});
    EXPECT_EQ(give(whole.substr(0, 100)), 0u);
    EXPECT_THAT(world.done, IsEmpty()) << "it is refused once it is whole";
  }
}

TEST_F(PacketHandlerTest, AsksForALongTopicByParts) {
  connect();
  world.room = 0;
  const std::string whole =
      mqtt::client::encode(mqtt::client::Publish{.topic = "rows/" + std::string(1'000, 'a'),
                                                 .payload = std::string(1'000, 'x'),
                                                 .qos = Qos::at_least_once,
                                                 .packet_id = 1});
  const std::string_view part = std::string_view{whole}.substr(0, 192);
  EXPECT_EQ(handler.readable_bytes(channel, part, 192), 192u);
}

TEST_F(PacketHandlerTest, SaysWhyAndClosesWhenAClientBreaksTheStandard) {
  connect();
  give(mqtt::client::encode(mqtt::client::Connect{.client_id = "d1"}));  // [MQTT-3.1.0-2]
  EXPECT_THAT(answers(), ElementsAre(PacketType::disconnect));
  EXPECT_THAT(world.done, ElementsAre("close"));
  EXPECT_EQ(counters.protocol_errors, 1u);
  EXPECT_EQ(channel.session, nullptr);
  EXPECT_EQ(
      publish("elsewhere", Qos::at_most_once, 0),
      0u + mqtt::client::encode(mqtt::client::Publish{.topic = "elsewhere", .payload = "1"}).size())
      << "what comes after it is thrown away";
  EXPECT_THAT(world.routed, IsEmpty());
}

TEST_F(PacketHandlerTest, DropsWhoeverBeginsWithoutConnect) {  // [MQTT-3.1.0-1]
  publish("elsewhere", Qos::at_most_once, 0);
  EXPECT_THAT(world.done, ElementsAre("drop"));
  EXPECT_THAT(answers(), IsEmpty());
}

TEST_F(PacketHandlerTest, EndsASilentClientAfterOneAndAHalfTimesItsKeepAlive) {
  connect();  // keep-alive 60 s [MQTT-3.1.2-22]
  ASSERT_EQ(world.wake, kStart + std::chrono::seconds{90});
  time.steady = kStart + std::chrono::seconds{30};
  give(mqtt::client::packet(0xC0, ""));  // PINGREQ
  time.steady = kStart + std::chrono::seconds{90};
  handler.on_keep_alive(channel, true);
  EXPECT_EQ(world.wake, kStart + std::chrono::seconds{120});
  time.steady = kStart + std::chrono::seconds{120};
  handler.on_keep_alive(channel, true);
  EXPECT_THAT(world.done, ElementsAre("close"));
  EXPECT_EQ(counters.keep_alive_timeouts, 1u);
}

TEST_F(PacketHandlerTest, DoesNotTakeAClientForSilentThatIsNotRead) {
  connect();
  time.steady = kStart + std::chrono::hours{1};
  handler.on_keep_alive(channel, false);
  EXPECT_THAT(world.done, IsEmpty());
}

TEST_F(PacketHandlerTest, AnswersSubscribeOnceTheInterestIsKnown) {
  connect();
  give(mqtt::client::encode(mqtt::client::Subscribe{.filters = {{"a/#", {}}}}));
  EXPECT_THAT(answers(), IsEmpty());
  handler.on_interest_known(world.awaited);
  EXPECT_THAT(answers(), ElementsAre(PacketType::suback));
}

}  // namespace
}  // namespace hub::broker
