#include <gtest/gtest.h>

#include <algorithm>

#include "broker/session/inbound_flows.h"
#include "broker/session/outbound_flows.h"

namespace hub::broker {
namespace {

using Arrival = InboundFlows::Arrival;
using Release = InboundFlows::Release;
using State = OutboundFlows::State;

Delivery delivery(std::string_view payload, Qos qos) {
  MessageView view;
  view.topic = "t";
  view.payload = payload;
  return {Message::make(view), qos, false, {}};
}

std::vector<std::uint16_t> durable_ids(const InboundFlows& flows) {
  std::vector<std::uint16_t> ids;
  flows.for_each_durable([&](PacketId id) { ids.push_back(id.value()); });
  std::sort(ids.begin(), ids.end());
  return ids;
}

TEST(InboundFlowsQos1, IgnoresAResendUntilItIsAcknowledged) {
  InboundFlows flows;
  EXPECT_EQ(flows.arrival(PacketId{7}, Qos::at_least_once, true), Arrival::fresh);
  flows.begin(PacketId{7}, Qos::at_least_once, false);
  EXPECT_EQ(flows.arrival(PacketId{7}, Qos::at_least_once, true), Arrival::acknowledgement_pending);
  EXPECT_TRUE(flows.puback(PacketId{7}));
  EXPECT_EQ(flows.arrival(PacketId{7}, Qos::at_least_once, true), Arrival::fresh);
  EXPECT_EQ(flows.size(), 0u);
}

TEST(InboundFlowsQos1, TakesAMessageWithoutDupForANewOne) {
  InboundFlows flows;
  const PacketId id{7};
  flows.begin(id, Qos::at_least_once, false);
  flows.connection_lost();
  for (int i = 0; i < 15; ++i) {
    ASSERT_EQ(flows.arrival(id, Qos::at_least_once, false), Arrival::fresh);
    flows.begin(id, Qos::at_least_once, false);
  }
  EXPECT_EQ(flows.arrival(id, Qos::at_least_once, false), Arrival::packet_id_in_use);
  EXPECT_EQ(flows.arrival(id, Qos::at_least_once, true), Arrival::acknowledgement_pending);
  EXPECT_EQ(flows.size(), 1u);
  for (int i = 0; i < 15; ++i) EXPECT_FALSE(flows.puback(id)) << "another one is not yet due";
  EXPECT_TRUE(flows.puback(id));
  EXPECT_EQ(flows.size(), 0u);
}

TEST(InboundFlowsQos2, KeepsTheIdFromPublishToPubcomp) {  // [MQTT-4.3.3-10] to [MQTT-4.3.3-12]
  InboundFlows flows;
  flows.begin(PacketId{1}, Qos::exactly_once, false);
  EXPECT_EQ(flows.arrival(PacketId{1}, Qos::exactly_once, true), Arrival::acknowledgement_pending);
  EXPECT_TRUE(flows.pubrec(PacketId{1}));
  EXPECT_EQ(flows.arrival(PacketId{1}, Qos::exactly_once, true), Arrival::recorded);
  EXPECT_EQ(flows.release(PacketId{1}), Release::free_now);
  flows.pubcomp(PacketId{1});
  EXPECT_EQ(flows.arrival(PacketId{1}, Qos::exactly_once, true), Arrival::fresh);
  EXPECT_EQ(flows.release(PacketId{1}), Release::unknown);
}

TEST(InboundFlowsQos2, FreesADurableIdOnlyAfterCommit) {
  InboundFlows flows;
  flows.begin(PacketId{1}, Qos::exactly_once, true);
  flows.pubrec(PacketId{1});
  EXPECT_EQ(durable_ids(flows), std::vector<std::uint16_t>{1});
  EXPECT_EQ(flows.release(PacketId{1}), Release::after_commit);
  EXPECT_EQ(durable_ids(flows), std::vector<std::uint16_t>{});
  EXPECT_EQ(flows.release(PacketId{1}), Release::waiting);
  EXPECT_EQ(flows.arrival(PacketId{1}, Qos::exactly_once, true), Arrival::packet_id_in_use);
  EXPECT_EQ(flows.size(), 1u) << "counts against the receive maximum until PUBCOMP";
}

TEST(InboundFlows, RefuseAnIdThatTheOtherQosHolds) {
  InboundFlows flows;
  flows.begin(PacketId{1}, Qos::at_least_once, false);
  flows.begin(PacketId{2}, Qos::exactly_once, false);
  EXPECT_EQ(flows.arrival(PacketId{1}, Qos::exactly_once, true), Arrival::packet_id_in_use);
  EXPECT_EQ(flows.arrival(PacketId{2}, Qos::at_least_once, true), Arrival::packet_id_in_use);
  EXPECT_EQ(flows.release(PacketId{1}), Release::unknown);
}

TEST(InboundFlows, OweNothingToAConnectionThatDidNotAsk) {
  InboundFlows flows;
  flows.begin(PacketId{1}, Qos::at_least_once, false);
  flows.begin(PacketId{2}, Qos::at_least_once, false);
  flows.begin(PacketId{3}, Qos::exactly_once, true);
  flows.begin(PacketId{4}, Qos::exactly_once, true);
  EXPECT_TRUE(flows.pubrec(PacketId{4}));
  EXPECT_EQ(flows.release(PacketId{4}), Release::after_commit);
  flows.connection_lost();
  EXPECT_EQ(flows.arrival(PacketId{2}, Qos::at_least_once, true), Arrival::acknowledgement_pending);
  EXPECT_FALSE(flows.puback(PacketId{1})) << "its resend is still to come, and is a new message";
  EXPECT_TRUE(flows.puback(PacketId{2})) << "it was sent again";
  EXPECT_FALSE(flows.pubrec(PacketId{3}));
  EXPECT_EQ(flows.arrival(PacketId{3}, Qos::exactly_once, true), Arrival::recorded);
  EXPECT_EQ(flows.release(PacketId{4}), Release::waiting);
  EXPECT_TRUE(flows.pubcomp(PacketId{4})) << "PUBREL was sent again";
}

TEST(InboundFlows, RestoredIdsAreRecordedAndDurable) {
  InboundFlows flows;
  flows.restore(PacketId{9});
  EXPECT_EQ(flows.arrival(PacketId{9}, Qos::exactly_once, true), Arrival::recorded);
  EXPECT_EQ(flows.release(PacketId{9}), Release::after_commit);
}

TEST(OutboundFlows, GiveIdsInSequenceAndNeverZero) {
  OutboundFlows flows;
  for (int i = 1; i <= 65'535; ++i) {
    const PacketId id = flows.start(delivery("x", Qos::at_least_once)).id;
    ASSERT_EQ(id.value(), i);
    ASSERT_TRUE(flows.puback(id));
  }
  EXPECT_EQ(flows.start(delivery("x", Qos::at_least_once)).id.value(), 1);
}

TEST(OutboundFlows, HoldBackAtTheSendQuotaAndGoOnInOrder) {  // section 4.9
  OutboundFlows flows;
  flows.set_send_quota(2);
  const PacketId first = flows.start(delivery("1", Qos::at_least_once)).id;
  const PacketId second = flows.start(delivery("2", Qos::at_least_once)).id;
  EXPECT_FALSE(flows.can_send());
  flows.enqueue(delivery("3", Qos::at_least_once));
  flows.enqueue(delivery("4", Qos::at_least_once));
  EXPECT_EQ(flows.start_next(), nullptr);
  EXPECT_TRUE(flows.puback(second)) << "acknowledgements may come out of order";
  const OutboundFlows::Flow* third = flows.start_next();
  ASSERT_NE(third, nullptr);
  EXPECT_EQ(third->delivery.message->view().payload, "3");
  EXPECT_EQ(flows.start_next(), nullptr);
  EXPECT_TRUE(flows.puback(first));
  EXPECT_FALSE(flows.can_send()) << "a new message must not overtake a queued one";
  EXPECT_EQ(flows.start_next()->delivery.message->view().payload, "4");
  EXPECT_EQ(flows.queued_bytes(), 0u);
}

struct Resent {
  std::vector<PacketId> released;
  std::vector<PacketId> published;
};

Resent resume(OutboundFlows& flows) {
  Resent resent;
  flows.resume([&](PacketId id) { resent.released.push_back(id); });
  while (const OutboundFlows::Flow* flow = flows.next_resend())
    resent.published.push_back(flow->id);
  return resent;
}

TEST(OutboundFlows, TellWhatToSendAgain) {  // [MQTT-4.4.0-1]
  OutboundFlows flows;
  const PacketId one = flows.start(delivery("1", Qos::exactly_once)).id;
  const PacketId two = flows.start(delivery("2", Qos::at_least_once)).id;
  const PacketId three = flows.start(delivery("3", Qos::at_least_once)).id;
  EXPECT_FALSE(flows.waiting());
  EXPECT_TRUE(flows.pubrec(one));
  EXPECT_TRUE(flows.puback(two));
  for (int times = 0; times < 2; ++times) {
    const Resent resent = resume(flows);
    EXPECT_EQ(resent.released, std::vector{one});
    EXPECT_EQ(resent.published, std::vector{three});
    EXPECT_FALSE(flows.waiting());
  }
}

TEST(OutboundFlows, SendAgainNoMoreThanALowerQuotaAllows) {  // [MQTT-3.3.4-9]
  OutboundFlows flows;
  std::vector<PacketId> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(flows.start(delivery("x", Qos::exactly_once)).id);
  flows.enqueue(delivery("new", Qos::at_least_once));
  EXPECT_TRUE(flows.pubrec(ids[0]));
  flows.set_send_quota(3);
  const Resent resent = resume(flows);
  EXPECT_EQ(resent.published, (std::vector{ids[1], ids[2]})) << "one place is the PUBREL's";
  EXPECT_TRUE(flows.pubrec(ids[4])) << "the answer to what the last connection brought";
  EXPECT_TRUE(flows.pubcomp(ids[4]));
  EXPECT_EQ(flows.next_resend(), nullptr);
  EXPECT_TRUE(flows.pubcomp(ids[0]));
  EXPECT_EQ(flows.next_resend()->id, ids[3]);
  EXPECT_EQ(flows.next_resend(), nullptr);
  EXPECT_TRUE(flows.refuse(ids[1]));
  EXPECT_EQ(flows.start_next(), nullptr) << "nothing new before what is to be sent again";
  EXPECT_EQ(flows.next_resend()->id, ids[5]);
  EXPECT_TRUE(flows.refuse(ids[2]));
  EXPECT_NE(flows.start_next(), nullptr);
  EXPECT_FALSE(flows.waiting());
}

TEST(OutboundFlows, TakeOnlyTheAcknowledgementThatAFlowWaitsFor) {
  OutboundFlows flows;
  const PacketId one = flows.start(delivery("1", Qos::at_least_once)).id;
  const PacketId two = flows.start(delivery("2", Qos::exactly_once)).id;
  EXPECT_FALSE(flows.pubrec(one));
  EXPECT_FALSE(flows.puback(two));
  EXPECT_FALSE(flows.pubcomp(two));
  EXPECT_TRUE(flows.pubrec(two));
  EXPECT_TRUE(flows.pubrec(two)) << "a resent PUBREC is answered with PUBREL again";
  EXPECT_FALSE(flows.refuse(two));
  EXPECT_TRUE(flows.pubcomp(two));
  EXPECT_FALSE(flows.puback(PacketId{999}));
  EXPECT_TRUE(flows.puback(one));
  EXPECT_TRUE(flows.empty());
}

}  // namespace
}  // namespace hub::broker
