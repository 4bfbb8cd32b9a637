// Sessions as clients see them: what outlives a connection, and what does not; wills.
#include <gtest/gtest.h>

#include <deque>
#include <future>

#include "tests/broker/broker_fixture.h"

namespace hub::broker {
namespace {

using mqtt::PacketType;
using mqtt::ProtocolVersion;
using mqtt::client::Connack;
using mqtt::client::Connect;
using mqtt::client::ReceivedPublish;
using test::RawMqttClient;

class SessionTest : public BrokerTest {};
INSTANTIATE_TEST_SUITE_P(Shards, SessionTest, testing::Values(1u, 3u));

TEST_P(SessionTest, TakesAResentMessageOnce) {
  ledger.hold();
  {
    RawMqttClient publisher{port};
    publisher.connect("pub", false, 100);
    publisher.publish("rows/a", "one", Qos::exactly_once, 1);
    publisher.publish("rows/a", "two", Qos::at_least_once, 2);
    EXPECT_TRUE(publisher.quiet());
    publisher.vanish();
  }
  RawMqttClient publisher{port};
  EXPECT_TRUE(publisher.connect("pub", false, 100).session_present);
  publisher.publish("rows/a", "one", Qos::exactly_once, 1, true);
  publisher.publish("rows/a", "two", Qos::at_least_once, 2, true);
  EXPECT_TRUE(publisher.quiet());
  ledger.commit();
  publisher.expect_ack(PacketType::pubrec, 1);
  publisher.expect_ack(PacketType::puback, 2);
  publisher.publish("rows/a", "one", Qos::exactly_once, 1, true);
  publisher.expect_ack(PacketType::pubrec, 1);
  publisher.send(mqtt::client::encode_ack(ProtocolVersion::v5, PacketType::pubrel, 1));
  EXPECT_EQ(publisher.expect_ack(PacketType::pubcomp, 1), 0);
  EXPECT_EQ(ledger.taken(), (std::vector<std::string>{"one", "two"}));
  publisher.publish("rows/a", "new", Qos::exactly_once, 1);
  publisher.expect_ack(PacketType::pubrec, 1);
  EXPECT_EQ(ledger.taken().back(), "new");
}

// An acknowledgement that overtakes the resend frees an id that the resend then takes again.
TEST_P(SessionTest, OwesNothingToAConnectionThatDidNotAsk) {
  ledger.hold();
  {
    RawMqttClient publisher{port};
    publisher.connect("pub", false, 100);
    publisher.publish("rows/a", "one", Qos::at_least_once, 1);
    publisher.publish("rows/a", "two", Qos::exactly_once, 2);
    EXPECT_TRUE(publisher.quiet());
    publisher.vanish();
  }
  RawMqttClient publisher{port};
  EXPECT_TRUE(publisher.connect("pub", false, 100).session_present);
  ledger.commit();
  RawMqttClient witness = client("witness");
  witness.publish("rows/a", "three", Qos::at_least_once, 1);
  witness.expect_ack(PacketType::puback, 1);
  EXPECT_TRUE(publisher.quiet());
  publisher.publish("rows/a", "one", Qos::at_least_once, 1, true);
  publisher.expect_ack(PacketType::puback, 1);
  publisher.publish("rows/a", "two", Qos::exactly_once, 2, true);
  publisher.expect_ack(PacketType::pubrec, 2);
  publisher.publish("rows/a", "four", Qos::at_least_once, 1);
  publisher.expect_ack(PacketType::puback, 1);
  EXPECT_EQ(ledger.taken(), (std::vector<std::string>{"one", "two", "three", "one", "four"}))
      << "at QoS 1 a resend may be a second row, at QoS 2 not";
}

TEST_P(SessionTest, KnowsAQos2PacketIdAfterARestart) {
  {
    RawMqttClient publisher{port};
    publisher.connect("pub", false, 100);
    publisher.publish("rows/a", "one", Qos::exactly_once, 1);
    publisher.expect_ack(PacketType::pubrec, 1);
  }
  const Broker::StoredSessions stored = ledger.stored();
  ASSERT_EQ(stored.size(), 1u);
  broker.reset();
  start({}, stored);
  RawMqttClient publisher{port};
  EXPECT_TRUE(publisher.connect("pub", false, 100).session_present);
  publisher.publish("rows/a", "one", Qos::exactly_once, 1, true);
  publisher.expect_ack(PacketType::pubrec, 1);
  EXPECT_EQ(ledger.taken().size(), 1u);
  publisher.send(mqtt::client::encode_ack(ProtocolVersion::v5, PacketType::pubrel, 1));
  publisher.expect_ack(PacketType::pubcomp, 1);
  publisher.vanish();
  settle();
  broker.reset();
  start({}, ledger.stored());
  RawMqttClient again{port};
  EXPECT_TRUE(again.connect("pub", false, 100).session_present);
  again.publish("rows/a", "two", Qos::exactly_once, 1);
  again.expect_ack(PacketType::pubrec, 1);
  EXPECT_EQ(ledger.taken().back(), "two") << "the packet id was free";
}

// Whoever has an acknowledgement finds the session again, though it has nothing but its existence.
TEST_P(SessionTest, KnowsAfterARestartThatASessionExists) {  // [MQTT-3.2.2-3]
  const auto connects_again = [&](bool clean_start) {
    broker.reset();
    start({}, ledger.stored());
    RawMqttClient publisher{port};
    return publisher.connect("pub", clean_start, 100).session_present;
  };
  {
    RawMqttClient publisher{port};
    EXPECT_FALSE(publisher.connect("pub", false, 100).session_present);
    publisher.publish("rows/a", "one", Qos::at_least_once, 1);
    publisher.expect_ack(PacketType::puback, 1);
  }
  EXPECT_TRUE(connects_again(false));
  EXPECT_TRUE(connects_again(false));
  EXPECT_FALSE(connects_again(true));
}

TEST_P(SessionTest, MakesDurableWhatItTakesUpAgainAfterARestart) {
  StoredSession session{.client_id = "sub", .expiry_seconds = 100};
  session.subscriptions = {{"a/+", {Qos::exactly_once, true, true, RetainHandling::do_not_send}, 7},
                           {"t", {Qos::at_least_once}, 0}};
  session.packet_ids = {513};
  broker.reset();
  start({}, {session});
  RawMqttClient subscriber{port};
  EXPECT_TRUE(subscriber.connect("sub", false, 200).session_present);  // a change of its own
  subscriber.publish("rows/a", "again", Qos::exactly_once, 513, true);
  subscriber.expect_ack(PacketType::pubrec, 513);
  EXPECT_TRUE(ledger.taken().empty()) << "the packet id is known";
  RawMqttClient publisher = client("pub");
  publisher.publish("t", "1", Qos::at_least_once, 1);
  publisher.expect_ack(PacketType::puback, 1);
  EXPECT_EQ(subscriber.expect_publish().payload, "1");
  settle();
  session.expiry_seconds = 200;
  EXPECT_EQ(ledger.session("sub"), session);
}

TEST_P(SessionTest, ForgetsForGoodAStoredSessionOfAnUnknownForm) {
  {
    RawMqttClient publisher{port};
    publisher.connect("pub", false, 100);
    publisher.publish("rows/a", "one", Qos::exactly_once, 1);
    publisher.expect_ack(PacketType::pubrec, 1);
  }
  ASSERT_TRUE(ledger.session("pub"));
  broker.reset();
  start({}, {{.client_id = "pub", .unknown_form = true}});
  RawMqttClient publisher{port};
  EXPECT_FALSE(publisher.connect("pub", false, 0).session_present);
  EXPECT_FALSE(ledger.session("pub")) << "CONNACK goes once that has committed";
  EXPECT_EQ(broker->totals().sessions, 1u);
}

TEST_P(SessionTest, HoldsNoConnackForASessionThatHadNothing) {
  RawMqttClient publisher{port};
  publisher.connect("pub", false, 100);
  publisher.publish("rows/a", "one", Qos::at_least_once, 1);
  publisher.expect_ack(PacketType::puback, 1);
  ASSERT_TRUE(ledger.session("pub"));
  publisher.vanish();
  settle();
  ledger.hold();
  EXPECT_TRUE(client("pub").quiet()) << "it is connected while the database is away";
}

TEST_P(SessionTest, AsksForABatchOfItsOwnOnlyForManySessionsThatHaveNothing) {
  for (int i = 0; i < 10; ++i) {
    RawMqttClient{port}.connect("few" + std::to_string(i), false, 100);
  }
  settle();
  EXPECT_TRUE(ledger.stored().empty());
  const int many = 1'001 * static_cast<int>(GetParam()) * 2;
  for (int i = 0; i < many; ++i) {
    RawMqttClient{port}.connect("many" + std::to_string(i), false, 100);
  }
  settle();
  EXPECT_GE(ledger.stored().size(), 1'000u);
}

TEST_P(SessionTest, ForgetsPacketIdsForGoodBeforeACleanStartGoesOn) {
  RawMqttClient publisher{port};
  publisher.connect("pub", false, 100);
  publisher.publish("rows/a", "one", Qos::exactly_once, 1);
  publisher.expect_ack(PacketType::pubrec, 1);
  ASSERT_TRUE(ledger.session("pub"));
  publisher.vanish();
  ledger.hold();
  RawMqttClient again{port};
  again.send(mqtt::client::encode(Connect{.client_id = "pub", .clean_start = true}));
  EXPECT_THROW((void)again.receive(std::chrono::milliseconds{200}), std::runtime_error);
  ledger.commit();
  (void)again.expect(PacketType::connack);
  EXPECT_FALSE(ledger.session("pub"));
  again.publish("rows/a", "another", Qos::exactly_once, 1);
  again.expect_ack(PacketType::pubrec, 1);
  EXPECT_EQ(ledger.taken().back(), "another");
}

TEST_P(SessionTest, QueuesForAnAbsentSessionAndResendsWhatWasNotAcknowledged) {
  RawMqttClient subscriber{port};
  subscriber.connect("sub", false, 100);
  subscriber.subscribe("t", Qos::exactly_once);
  RawMqttClient publisher = client("pub");
  publisher.publish("t", "1", Qos::at_least_once, 1);
  publisher.expect_ack(PacketType::puback, 1);
  EXPECT_EQ(subscriber.expect_publish().payload, "1");
  subscriber.vanish();
  publisher.publish("t", "2", Qos::exactly_once, 2);
  publisher.expect_ack(PacketType::pubrec, 2);

  RawMqttClient back{port};
  EXPECT_TRUE(back.connect("sub", false, 100).session_present);
  const ReceivedPublish first = back.expect_publish();
  EXPECT_EQ(first.payload, "1");
  EXPECT_TRUE(first.dup);
  const ReceivedPublish second = back.expect_publish();
  EXPECT_EQ(second.payload, "2");
  EXPECT_EQ(second.qos, Qos::exactly_once);
}

TEST_P(SessionTest, TakesASessionOverAndTellsTheFirstConnection) {  // [MQTT-3.1.4-3]
  RawMqttClient first{port};
  first.connect("same", false, 100);
  RawMqttClient second{port};
  EXPECT_TRUE(second.connect("same", false, 100).session_present);
  EXPECT_EQ(first.expect_disconnect(), 0x8E);
  EXPECT_TRUE(first.closed());
  EXPECT_TRUE(second.quiet());
  EXPECT_EQ(broker->totals().sessions, 1u);
}

TEST_P(SessionTest, PublishesTheWillOfAClientThatVanishesAndNotOfOneThatSaysGoodbye) {
  RawMqttClient watcher = client("watcher");
  watcher.subscribe("wills/#", Qos::at_least_once);
  for (const bool says_goodbye : {true, false}) {
    RawMqttClient mortal{port};
    Connect connect{.client_id = "mortal"};
    connect.will = mqtt::client::Will{.topic = says_goodbye ? "wills/no" : "wills/yes",
                                      .payload = "gone",
                                      .qos = Qos::at_least_once};
    mortal.connect(connect);
    if (says_goodbye) {
      mortal.send(mqtt::client::encode_disconnect(ProtocolVersion::v5));
      EXPECT_TRUE(mortal.closed());
    }
    mortal.vanish();
  }
  EXPECT_EQ(watcher.expect_publish().topic, "wills/yes");
}

TEST_P(SessionTest, DropsADelayedWillWhenTheClientIsBackInTime) {  // [MQTT-3.1.3-9]
  RawMqttClient watcher = client("watcher");
  watcher.subscribe("wills/#", Qos::at_least_once);
  const auto connect = [&](RawMqttClient& mortal, std::uint32_t delay, const char* topic) {
    Connect packet{.client_id = "mortal", .clean_start = false};
    packet.properties.u32(mqtt::PropertyId::session_expiry_interval, 100);
    packet.will = mqtt::client::Will{.topic = topic, .payload = "gone"};
    packet.will->properties.u32(mqtt::PropertyId::will_delay_interval, delay);
    mortal.connect(packet);
  };
  RawMqttClient first{port};
  connect(first, 60, "wills/never");
  first.vanish();
  RawMqttClient second{port};
  connect(second, 1, "wills/late");
  second.vanish();
  EXPECT_EQ(watcher.expect_publish().topic, "wills/late");
}

// A session that is to end with its connection ends when another one takes its place, too.
TEST_P(SessionTest, DoesNotGoOnWithASessionThatEndsWithItsConnection) {  // [MQTT-3.1.2-6] of 3.1.1
  for (const ProtocolVersion version : {ProtocolVersion::v311, ProtocolVersion::v5}) {
    RawMqttClient first{port, version};
    first.connect("same", true);
    first.subscribe("t", Qos::at_least_once);
    RawMqttClient second{port, version};
    EXPECT_FALSE(second.connect("same", false, 100).session_present);
    RawMqttClient publisher = client("pub", version);
    publisher.publish("t", "1", Qos::at_least_once, 1);
    publisher.expect_ack(PacketType::puback, 1);
    settle();
    EXPECT_TRUE(second.quiet()) << "the subscription was the first session's";
  }
}

TEST_P(SessionTest, KeepsTheExpiryThatADisconnectGave) {  // MQTT 5.0 section 3.14.2.2.2
  RawMqttClient subscriber{port};
  subscriber.connect("sub", false, 100);
  subscriber.subscribe("t", Qos::at_least_once);
  settle();
  ASSERT_TRUE(ledger.session("sub"));
  EXPECT_EQ(ledger.session("sub")->expiry_seconds, 100u);
  mqtt::client::Properties properties;
  properties.u32(mqtt::PropertyId::session_expiry_interval, 200);
  subscriber.send(mqtt::client::encode_disconnect(
      ProtocolVersion::v5, mqtt::ReasonCode::normal_disconnection, properties));
  EXPECT_TRUE(subscriber.closed());
  settle();
  ASSERT_TRUE(ledger.session("sub"));
  EXPECT_EQ(ledger.session("sub")->expiry_seconds, 200u);
}

TEST_P(SessionTest, IsForgottenForGoodWhenItsDisconnectSaysSo) {
  RawMqttClient subscriber{port};
  subscriber.connect("sub", false, 100);
  subscriber.subscribe("t", Qos::at_least_once);
  settle();
  ASSERT_TRUE(ledger.session("sub"));
  mqtt::client::Properties properties;
  properties.u32(mqtt::PropertyId::session_expiry_interval, 0);
  subscriber.send(mqtt::client::encode_disconnect(
      ProtocolVersion::v5, mqtt::ReasonCode::normal_disconnection, properties));
  EXPECT_TRUE(subscriber.closed());
  settle();
  EXPECT_FALSE(ledger.session("sub"));
}

// A client that got no answer to its clean start tries again, while the database is still away.
TEST_P(SessionTest, HoldsEveryConnackUntilTheFormerPacketIdsAreGoneForGood) {
  RawMqttClient publisher{port};
  publisher.connect("pub", false, 100);
  publisher.publish("rows/a", "one", Qos::exactly_once, 1);
  publisher.expect_ack(PacketType::pubrec, 1);
  publisher.vanish();
  ledger.hold();
  for (const bool clean_start : {true, true, false}) {
    RawMqttClient again{port};
    again.send(mqtt::client::encode(Connect{.client_id = "pub", .clean_start = clean_start}));
    EXPECT_THROW((void)again.receive(std::chrono::milliseconds{200}), std::runtime_error);
  }
  RawMqttClient last{port};
  last.send(mqtt::client::encode(Connect{.client_id = "pub", .clean_start = false}));
  ledger.commit();
  (void)last.expect(PacketType::connack);
  EXPECT_FALSE(ledger.session("pub"));
  last.vanish();
  settle();
  ledger.hold();
  EXPECT_NO_THROW(client("pub")) << "nothing is held any more";
}

TEST_P(SessionTest, DoesNotEndAConnectionForASilenceOfTheHubsOwn) {
  RawMqttClient publisher{port};
  publisher.connect("pub", false, 100);
  publisher.publish("rows/a", "one", Qos::exactly_once, 1);
  publisher.expect_ack(PacketType::pubrec, 1);
  publisher.vanish();
  ledger.hold();
  RawMqttClient held{port};
  held.send(
      mqtt::client::encode(Connect{.client_id = "pub", .keep_alive = std::chrono::seconds{1}}));
  settle();
  RawMqttClient silent{port};
  silent.connect(Connect{.client_id = "silent", .keep_alive = std::chrono::seconds{1}});
  EXPECT_EQ(silent.expect_disconnect(), 0x8D);
  settle();
  ledger.commit();
  (void)held.expect(PacketType::connack);
  EXPECT_TRUE(held.quiet());
}

// A client that has lost what it knew of its session counts its packet ids from 1 again. Its
// message is none that waits: it is stored before it is acknowledged.
TEST_P(SessionTest, TakesAPublishWithoutDupForAnotherMessageAtQos1) {  // [MQTT-3.3.1-1]
  ledger.hold();
  {
    RawMqttClient forgetful{port};
    forgetful.connect("pub", false, 100);
    forgetful.publish("rows/a", "one", Qos::at_least_once, 1);
    EXPECT_TRUE(forgetful.quiet());
    forgetful.vanish();
  }
  RawMqttClient publisher{port};
  EXPECT_TRUE(publisher.connect("pub", false, 100).session_present);
  publisher.publish("rows/a", "two", Qos::at_least_once, 1);
  EXPECT_TRUE(publisher.quiet());
  EXPECT_EQ(ledger.taken(), (std::vector<std::string>{"one", "two"}));
  ledger.commit();
  publisher.expect_ack(PacketType::puback, 1);
  EXPECT_TRUE(publisher.quiet()) << "one acknowledgement, for the message that it knows of";
}

TEST_P(SessionTest, LeavesOutOfAResendWhatTheClientDoesNotTakeAnyMore) {  // [MQTT-3.1.2-25]
  RawMqttClient subscriber{port};
  subscriber.connect("sub", false, 100);
  subscriber.subscribe("t", Qos::at_least_once);
  RawMqttClient publisher = client("pub");
  const std::string large(1'000, 'x');
  std::uint16_t id = 0;
  for (const std::string& payload : {large, large, std::string{"small"}, large}) {
    publisher.publish("t", payload, Qos::at_least_once, ++id);
    publisher.expect_ack(PacketType::puback, id);
    (void)subscriber.expect_publish();
  }
  subscriber.vanish();
  RawMqttClient back{port};
  Connect connect{.client_id = "sub", .clean_start = false};
  connect.properties.u32(mqtt::PropertyId::session_expiry_interval, 100);
  connect.properties.u32(mqtt::PropertyId::maximum_packet_size, 200);
  EXPECT_TRUE(back.connect(connect).session_present);
  EXPECT_EQ(back.expect_publish().payload, "small");
  EXPECT_TRUE(back.quiet());
  EXPECT_EQ(broker->totals().counters.dropped_too_large, 3u);
}

TEST_P(SessionTest, ResendsNoMoreThanALowerReceiveMaximumAllows) {  // [MQTT-3.3.4-9]
  RawMqttClient subscriber{port};
  subscriber.connect("sub", false, 100);
  subscriber.subscribe("t", Qos::at_least_once);
  RawMqttClient publisher = client("pub");
  for (std::uint16_t id = 1; id <= 5; ++id) {
    publisher.publish("t", std::to_string(id), Qos::at_least_once, id);
    publisher.expect_ack(PacketType::puback, id);
    (void)subscriber.expect_publish();
  }
  subscriber.vanish();
  RawMqttClient back{port};
  Connect connect{.client_id = "sub", .clean_start = false};
  connect.properties.u32(mqtt::PropertyId::session_expiry_interval, 100);
  connect.properties.u16(mqtt::PropertyId::receive_maximum, 2);
  EXPECT_TRUE(back.connect(connect).session_present);
  std::deque<std::uint16_t> unanswered;
  for (int expected = 1; expected <= 5; ++expected) {
    if (unanswered.size() == 2) {
      EXPECT_TRUE(back.quiet());
      back.send(
          mqtt::client::encode_ack(ProtocolVersion::v5, PacketType::puback, unanswered.front()));
      unanswered.pop_front();
    }
    const ReceivedPublish publish = back.expect_publish();
    EXPECT_EQ(publish.payload, std::to_string(expected));
    EXPECT_TRUE(publish.dup);
    unanswered.push_back(publish.packet_id);
  }
}

// The hub may notice that a client is gone when it writes to it, at the very end of a turn.
TEST_P(SessionTest, SendsTheWillOfAClientThatCannotBeWrittenToAtOnce) {
  broker.reset();
  start({.connect_timeout = std::chrono::hours{1}});  // nothing else wakes a shard
  std::vector<RawMqttClient> watchers;
  for (int i = 0; i < 6; ++i) {
    watchers.push_back(client("watcher" + std::to_string(i)));
    watchers.back().subscribe("will", Qos::at_least_once);
  }
  ledger.hold();
  RawMqttClient mortal{port};
  Connect connect{.client_id = "mortal"};
  connect.will = mqtt::client::Will{.topic = "will", .payload = "gone"};
  mortal.connect(connect);
  mortal.publish("rows/a", "1", Qos::at_least_once, 1);
  EXPECT_TRUE(mortal.quiet());
  std::promise<void> go;
  ledger.commit_when(go.get_future().share());
  mortal.vanish_with_a_reset();
  go.set_value();
  for (RawMqttClient& watcher : watchers) EXPECT_EQ(watcher.expect_publish().payload, "gone");
}

// Each connection leaves deadlines behind that nobody waits for; they are cleared away now and
// then, and only they.
TEST_P(SessionTest, KeepsADelayedWillThroughManyConnections) {
  RawMqttClient watcher = client("watcher");
  watcher.subscribe("will", Qos::at_least_once);
  RawMqttClient mortal{port};
  Connect connect{.client_id = "mortal", .clean_start = false};
  connect.properties.u32(mqtt::PropertyId::session_expiry_interval, 100);
  connect.will = mqtt::client::Will{.topic = "will", .payload = "gone"};
  connect.will->properties.u32(mqtt::PropertyId::will_delay_interval, 1);
  mortal.connect(connect);
  mortal.vanish();
  for (int i = 0; i < 2'000; ++i) client("c" + std::to_string(i)).vanish();
  EXPECT_EQ(watcher.expect_publish().payload, "gone");
}

}  // namespace
}  // namespace hub::broker
