// The broker as clients see it, with a sink whose commits the test decides on.
#include <gtest/gtest.h>

#include "tests/broker/broker_fixture.h"

namespace hub::broker {
namespace {

using mqtt::PacketType;
using mqtt::ProtocolVersion;
using mqtt::client::Connack;
using mqtt::client::Connect;
using mqtt::client::Properties;
using mqtt::client::Publish;
using mqtt::client::ReceivedPublish;
using test::RawMqttClient;

INSTANTIATE_TEST_SUITE_P(Shards, BrokerTest, testing::Values(1u, 3u));

TEST_P(BrokerTest, DeliversAtTheLowerOfBothQos) {
  for (const ProtocolVersion version : {ProtocolVersion::v311, ProtocolVersion::v5}) {
    RawMqttClient subscriber = client("sub", version);
    RawMqttClient publisher = client("pub", version);
    subscriber.subscribe("t/+", Qos::at_least_once);
    publisher.publish("t/0", "zero", Qos::at_most_once, 0);
    publisher.publish("t/2", "two", Qos::exactly_once, 1);
    publisher.expect_ack(PacketType::pubrec, 1);
    const ReceivedPublish zero = subscriber.expect_publish();
    EXPECT_EQ(zero.payload, "zero");
    EXPECT_EQ(zero.qos, Qos::at_most_once);
    const ReceivedPublish two = subscriber.expect_publish();
    EXPECT_EQ(two.payload, "two");
    EXPECT_EQ(two.qos, Qos::at_least_once);
  }
}

TEST_P(BrokerTest, KeepsTheOrderOfAPublisherForASubscriberOnAnyShard) {
  std::vector<RawMqttClient> subscribers;
  for (int i = 0; i < 6; ++i) {
    subscribers.push_back(client("sub" + std::to_string(i)));
    subscribers.back().subscribe("order/#", Qos::at_most_once);
  }
  RawMqttClient publisher = client("pub");
  for (int i = 0; i < 2'000; ++i) {
    publisher.publish("order/x", std::to_string(i), Qos::at_most_once, 0);
  }
  for (RawMqttClient& subscriber : subscribers) {
    for (int i = 0; i < 2'000; ++i) {
      ASSERT_EQ(subscriber.expect_publish().payload, std::to_string(i));
    }
  }
}

TEST_P(BrokerTest, SendsNoAcknowledgementBeforeTheCommit) {
  ledger.hold();
  RawMqttClient publisher = client("pub");
  publisher.publish("rows/a", "1", Qos::at_least_once, 1);
  publisher.publish("rows/a", "2", Qos::exactly_once, 2);
  EXPECT_TRUE(publisher.quiet());
  ledger.commit();
  publisher.expect_ack(PacketType::puback, 1);
  publisher.expect_ack(PacketType::pubrec, 2);
}

TEST_P(BrokerTest, AcknowledgesInTheOrderOfTheMessages) {  // [MQTT-4.6.0-2]
  ledger.hold();
  RawMqttClient publisher = client("pub");
  publisher.publish("rows/a", "1", Qos::at_least_once, 1);
  publisher.publish("elsewhere", "2", Qos::at_least_once, 2);
  EXPECT_TRUE(publisher.quiet());
  ledger.commit();
  publisher.expect_ack(PacketType::puback, 1);
  publisher.expect_ack(PacketType::puback, 2);
}

TEST_P(BrokerTest, LeavesPublishesInTheSocketWhileStorageHasNoRoom) {
  RawMqttClient publisher = client("pub");
  RawMqttClient neighbour = client("neighbour");
  ledger.fill(true);
  publisher.publish("rows/a", "waits", Qos::at_least_once, 1);
  EXPECT_TRUE(neighbour.quiet()) << "others are served";
  neighbour.publish("elsewhere", "x", Qos::at_least_once, 1);
  neighbour.expect_ack(PacketType::puback, 1);
  EXPECT_TRUE(ledger.taken().empty());
  ledger.fill(false);
  publisher.expect_ack(PacketType::puback, 1);
  EXPECT_EQ(ledger.taken(), std::vector<std::string>{"waits"});
}

TEST_P(BrokerTest, RoutesWhatRulesPublishAndEndsLoops) {
  RawMqttClient subscriber = client("sub");
  subscriber.subscribe("echo", Qos::at_least_once);
  RawMqttClient publisher = client("pub");
  publisher.publish("rows/echo", "hello", Qos::at_least_once, 1);
  publisher.expect_ack(PacketType::puback, 1);
  EXPECT_EQ(subscriber.expect_publish().payload, "hello");
  publisher.publish("rows/loop", "start", Qos::at_least_once, 2);
  publisher.expect_ack(PacketType::puback, 2);
  EXPECT_EQ(broker->totals().counters.dropped_republish_depth, 1u);
}

TEST_P(BrokerTest, HonoursTheClientsReceiveMaximum) {  // [MQTT-3.3.4-9]
  RawMqttClient subscriber{port};
  Connect connect{.client_id = "sub"};
  connect.properties.u16(mqtt::PropertyId::receive_maximum, 2);
  subscriber.connect(connect);
  subscriber.subscribe("t", Qos::at_least_once);
  RawMqttClient publisher = client("pub");
  for (std::uint16_t i = 1; i <= 3; ++i) {
    publisher.publish("t", std::to_string(i), Qos::at_least_once, i);
    publisher.expect_ack(PacketType::puback, i);
  }
  const ReceivedPublish first = subscriber.expect_publish();
  EXPECT_EQ(subscriber.expect_publish().payload, "2");
  EXPECT_TRUE(subscriber.quiet());
  subscriber.send(
      mqtt::client::encode_ack(ProtocolVersion::v5, PacketType::puback, first.packet_id));
  EXPECT_EQ(subscriber.expect_publish().payload, "3");
}

TEST_P(BrokerTest, ClosesWith0x93OnOnePublishTooMany) {  // [MQTT-3.3.4-7]
  ledger.hold();
  RawMqttClient publisher{port};
  const Connack connack = publisher.connect("pub");
  const auto allowed = connack.properties.numbers.at(mqtt::PropertyId::receive_maximum);
  for (std::uint32_t i = 1; i <= allowed + 1; ++i) {
    publisher.publish("rows/a", "x", Qos::at_least_once, static_cast<std::uint16_t>(i));
  }
  EXPECT_EQ(publisher.expect_disconnect(), 0x93);
  EXPECT_TRUE(publisher.closed());
  EXPECT_EQ(ledger.taken().size(), allowed);
}

TEST_P(BrokerTest, TakesALargeConnectWhicheverShardItsClientBelongsTo) {
  for (int i = 0; i < 8; ++i) {
    RawMqttClient client{port};
    Connect connect{.client_id = "large" + std::to_string(i)};
    connect.will = mqtt::client::Will{.topic = "wills/large", .payload = std::string(60'000, 'w')};
    for (int n = 0; n < 12; ++n) {
      connect.properties.user("padding", std::string(60'000, static_cast<char>('a' + n)));
    }
    EXPECT_EQ(client.connect(connect).code, 0);
    EXPECT_TRUE(client.quiet());
  }
}

TEST_P(BrokerTest, GivesRetainedMessagesToNewSubscriptions) {
  RawMqttClient publisher = client("pub");
  for (const char* topic : {"r/a", "r/b", "r/gone"}) {
    publisher.publish(topic, topic, Qos::at_least_once, 1, false, true);
    publisher.expect_ack(PacketType::puback, 1);
  }
  publisher.publish("r/gone", "", Qos::at_least_once, 1, false, true);
  publisher.expect_ack(PacketType::puback, 1);
  RawMqttClient subscriber = client("sub");
  subscriber.subscribe("r/+", Qos::at_least_once);
  std::map<std::string, bool> got;
  for (int i = 0; i < 2; ++i) {
    const ReceivedPublish retained = subscriber.expect_publish();
    got[retained.payload] = retained.retain;
  }
  EXPECT_EQ(got, (std::map<std::string, bool>{{"r/a", true}, {"r/b", true}}));
  EXPECT_TRUE(subscriber.quiet());
  publisher.publish("r/a", "live", Qos::at_most_once, 0, false, true);
  EXPECT_FALSE(subscriber.expect_publish().retain) << "[MQTT-3.3.1-12]";
}

TEST_P(BrokerTest, SendsOneCopyForOverlappingSubscriptionsWithAllTheirIdentifiers) {
  RawMqttClient subscriber = client("sub");
  for (const auto& [filter, id] : std::map<std::string, std::uint32_t>{{"a/#", 1}, {"a/+", 2}}) {
    mqtt::client::Subscribe subscribe{.filters = {{filter, {.qos = Qos::at_least_once}}}};
    subscribe.properties.varint(mqtt::PropertyId::subscription_identifier, id);
    subscriber.send(mqtt::client::encode(subscribe));
    (void)subscriber.expect(PacketType::suback);
  }
  RawMqttClient publisher = client("pub");
  publisher.publish("a/b", "x", Qos::at_least_once, 1);
  EXPECT_EQ(subscriber.expect_publish().properties.subscription_ids.size(), 2u);
  EXPECT_TRUE(subscriber.quiet());
}

TEST_P(BrokerTest, DoesNotEchoToANoLocalSubscription) {  // [MQTT-3.8.3-3]
  RawMqttClient both = client("both");
  both.send(mqtt::client::encode(
      mqtt::client::Subscribe{.filters = {{"t", {.qos = Qos::at_least_once, .no_local = true}}}}));
  (void)both.expect(PacketType::suback);
  both.publish("t", "own", Qos::at_least_once, 1);
  both.expect_ack(PacketType::puback, 1);
  EXPECT_TRUE(both.quiet());
  client("other").publish("t", "others", Qos::at_most_once, 0);
  EXPECT_EQ(both.expect_publish().payload, "others");
}

TEST_P(BrokerTest, SaysInConnackWhatIsNotOnOffer) {
  RawMqttClient client{port};
  const Connack connack = client.connect("");
  EXPECT_EQ(connack.properties.numbers.at(mqtt::PropertyId::shared_subscription_available), 0u);
  EXPECT_EQ(connack.properties.numbers.count(mqtt::PropertyId::topic_alias_maximum), 0u);
  EXPECT_FALSE(connack.properties.texts.at(mqtt::PropertyId::assigned_client_identifier).empty());
  client.send(mqtt::client::encode(mqtt::client::Subscribe{.filters = {{"$share/g/t", {}}}}));
  const auto suback =
      mqtt::client::decode_suback(ProtocolVersion::v5, client.expect(PacketType::suback).body);
  EXPECT_EQ(suback->codes.at(0), mqtt::ReasonCode::shared_subscriptions_not_supported);
}

// What stands below $SYS is the hub's own word.
TEST_P(BrokerTest, KeepsClientsFromPublishingBelowSys) {  // section 4.7.2
  RawMqttClient watcher = client("watcher");
  watcher.subscribe("$SYS/#", Qos::at_least_once);
  for (const ProtocolVersion version : {ProtocolVersion::v311, ProtocolVersion::v5}) {
    RawMqttClient forger = client("forger", version);
    const std::uint8_t refused = version == ProtocolVersion::v5 ? 0x90 : 0;
    forger.publish("$SYS/a", "zero", Qos::at_most_once, 0);
    forger.publish("$SYS/a", "one", Qos::at_least_once, 1, false, true);
    EXPECT_EQ(forger.expect_ack(PacketType::puback, 1), refused);
    forger.publish("$SYS/a", "two", Qos::exactly_once, 2);
    EXPECT_EQ(forger.expect_ack(PacketType::pubrec, 2), refused);
    RawMqttClient mortal{port, version};
    Connect connect{.version = version, .client_id = "mortal"};
    connect.will = mqtt::client::Will{.topic = "$SYS/a", .payload = "gone"};
    mortal.send(mqtt::client::encode(connect));
    if (version == ProtocolVersion::v5) (void)mortal.expect(PacketType::connack);
    EXPECT_TRUE(mortal.closed());
  }
  broker->publish_own({{"$SYS/a", "own"}});
  EXPECT_EQ(watcher.expect_publish().payload, "own");
  EXPECT_EQ(broker->totals().counters.publishes_refused, 6u);
}

TEST_P(BrokerTest, RefusesTopicAliases) {
  RawMqttClient publisher = client("pub");
  Publish publish{.topic = "t", .payload = "x"};
  publish.properties.u16(mqtt::PropertyId::topic_alias, 1);
  publisher.send(mqtt::client::encode(publish));
  EXPECT_EQ(publisher.expect_disconnect(), 0x94);
  EXPECT_TRUE(publisher.closed());
}

TEST_P(BrokerTest, AnswersMqtt31WithUnacceptableProtocolVersion) {
  RawMqttClient old{port, ProtocolVersion::v311};
  old.send(mqtt::client::packet(0x10, std::string_view{"\0\6MQIsdp\3\2\0\x3c\0\1c", 15}));
  const auto connack =
      mqtt::client::decode_connack(ProtocolVersion::v311, old.expect(PacketType::connack).body);
  EXPECT_EQ(connack->code, 1);
  EXPECT_TRUE(old.closed());
}

TEST_P(BrokerTest, RefusesAClientIdThatTheDatabaseCouldNotKeep) {
  const std::string longest(Options{}.max_client_id_bytes, 'c');
  for (const auto version : {ProtocolVersion::v311, ProtocolVersion::v5}) {
    EXPECT_EQ(RawMqttClient(port, version).connect(longest).code, 0);
    RawMqttClient refused{port, version};
    EXPECT_EQ(refused.connect(longest + 'c').code, version == ProtocolVersion::v5 ? 0x85 : 2);
    EXPECT_TRUE(refused.closed());
  }
}

TEST_P(BrokerTest, EndsAConnectionThatIsSilentForOneAndAHalfKeepAlives) {  // [MQTT-3.1.2-22]
  RawMqttClient silent{port};
  const auto before = std::chrono::steady_clock::now();
  silent.connect(Connect{.client_id = "silent", .keep_alive = std::chrono::seconds{1}});
  EXPECT_EQ(silent.expect_disconnect(), 0x8D);
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds{1'500});
  EXPECT_TRUE(silent.closed());
}

TEST_P(BrokerTest, StopsWithAllClientsTold) {
  RawMqttClient idle = client("idle");
  ledger.hold();
  RawMqttClient publisher = client("pub");
  publisher.publish("rows/a", "1", Qos::at_least_once, 1);
  EXPECT_TRUE(publisher.quiet());
  std::thread stopping{[&] { EXPECT_TRUE(broker->stop(std::chrono::seconds{20})); }};
  ledger.commit();
  publisher.expect_ack(PacketType::puback, 1);
  EXPECT_EQ(publisher.expect_disconnect(), 0x8B);
  EXPECT_EQ(idle.expect_disconnect(), 0x8B);
  publisher.vanish();
  idle.vanish();
  stopping.join();
}

TEST_P(BrokerTest, BadPacketsDoNotDisturbANeighbour) {
  RawMqttClient neighbour = client("neighbour");
  neighbour.subscribe("n", Qos::at_least_once);
  std::uint32_t random = 12'345;
  for (int round = 0; round < 200; ++round) {
    RawMqttClient bad{port};
    if (round % 2 == 0) bad.connect("bad");
    std::string bytes;
    for (int i = 0; i < 40; ++i) {
      random = random * 1'664'525 + 1'013'904'223;
      bytes.push_back(static_cast<char>(random >> 24));
    }
    bad.send(bytes);
    bad.vanish();
    if (round % 20 == 0) {
      neighbour.publish("n", std::to_string(round), Qos::at_least_once, 1);
      bool delivered = false;
      bool acknowledged = false;
      while (!delivered || !acknowledged) {
        const auto packet = neighbour.receive();
        delivered |= packet.type == PacketType::publish;
        acknowledged |= packet.type == PacketType::puback;
        if (packet.type == PacketType::publish) {
          const auto got =
              mqtt::client::decode_publish(ProtocolVersion::v5, packet.flags, packet.body);
          neighbour.send(
              mqtt::client::encode_ack(ProtocolVersion::v5, PacketType::puback, got->packet_id));
        }
      }
    }
  }
}

}  // namespace
}  // namespace hub::broker
