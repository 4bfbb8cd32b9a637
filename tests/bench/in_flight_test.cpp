#include "bench/load/in_flight.h"

#include <gtest/gtest.h>

#include <vector>

namespace hub::bench {
namespace {

using Outcome = InFlight::Outcome;

TEST(InFlight, HoldsAsManyAsItsLimit) {
  InFlight in_flight{3};
  for (const std::uint16_t expected : {1, 2, 3}) {
    ASSERT_TRUE(in_flight.may_send());
    EXPECT_EQ(in_flight.send(0), expected);
  }
  EXPECT_FALSE(in_flight.may_send());
  EXPECT_EQ(in_flight.on_puback(1).outcome, Outcome::in_order);
  EXPECT_TRUE(in_flight.may_send());
}

TEST(InFlight, RemembersWhenAMessageWasSent) {
  InFlight in_flight{2};
  in_flight.send(100);
  in_flight.send(200);
  EXPECT_EQ(in_flight.on_puback(1).sent_ns, 100);
  EXPECT_EQ(in_flight.on_puback(2).sent_ns, 200);
  EXPECT_EQ(in_flight.count(), 0U);
}

TEST(InFlight, NamesAcknowledgementsOutOfOrder) {
  InFlight in_flight{3};
  for (int message = 0; message < 3; ++message) in_flight.send(0);
  EXPECT_EQ(in_flight.on_puback(2).outcome, Outcome::out_of_order);
  EXPECT_EQ(in_flight.on_puback(3).outcome, Outcome::in_order);
  EXPECT_EQ(in_flight.on_puback(1).outcome, Outcome::out_of_order);
  EXPECT_EQ(in_flight.count(), 0U);
}

TEST(InFlight, NamesAcknowledgementsOfNothing) {
  InFlight in_flight{3};
  EXPECT_EQ(in_flight.on_puback(0).outcome, Outcome::unexpected);
  EXPECT_EQ(in_flight.on_puback(1).outcome, Outcome::unexpected);
  in_flight.send(0);
  EXPECT_EQ(in_flight.on_pubcomp(1).outcome, Outcome::unexpected) << "PUBREC comes first";
  EXPECT_EQ(in_flight.on_puback(1).outcome, Outcome::in_order);
  EXPECT_EQ(in_flight.on_puback(1).outcome, Outcome::unexpected) << "it came already";
}

TEST(InFlight, HoldsAMessageOfQosTwoUntilPubcomp) {
  InFlight in_flight{1};
  in_flight.send(5);
  EXPECT_EQ(in_flight.on_pubrec(1).outcome, Outcome::in_order);
  EXPECT_FALSE(in_flight.may_send());
  EXPECT_EQ(in_flight.on_pubrec(1).outcome, Outcome::unexpected);
  EXPECT_EQ(in_flight.on_puback(1).outcome, Outcome::unexpected);
  EXPECT_EQ(in_flight.on_pubcomp(1).sent_ns, 5);
  EXPECT_TRUE(in_flight.may_send());
}

TEST(InFlight, GoesRoundAllPacketIdsWithoutZero) {
  InFlight in_flight{5};
  std::uint16_t last = 0;
  for (int message = 0; message < 140'000; ++message) {
    ASSERT_TRUE(in_flight.may_send()) << message;
    const std::uint16_t packet_id = in_flight.send(0);
    ASSERT_EQ(packet_id, last == 65'535 ? 1 : last + 1);
    last = packet_id;
    ASSERT_EQ(in_flight.on_puback(packet_id).outcome, Outcome::in_order);
  }
}

TEST(InFlight, NeverGivesOutAPacketIdThatIsInUse) {
  InFlight in_flight{4};
  in_flight.send(0);  // 1 stays unanswered
  while (in_flight.may_send()) {
    const std::uint16_t packet_id = in_flight.send(0);
    ASSERT_NE(packet_id, 1);
    in_flight.on_puback(packet_id);
  }
  EXPECT_EQ(in_flight.count(), 1U);
  in_flight.on_puback(1);
  EXPECT_TRUE(in_flight.may_send());
}

TEST(InFlight, NarrowsButDoesNotWiden) {
  InFlight in_flight{10};
  in_flight.set_limit(2);
  EXPECT_EQ(in_flight.limit(), 2);
  in_flight.set_limit(20);
  EXPECT_EQ(in_flight.limit(), 2);
}

TEST(InFlight, SaysHowManyItForgets) {
  InFlight in_flight{10};
  in_flight.send(0);
  in_flight.send(0);
  EXPECT_EQ(in_flight.clear(), 2U);
  EXPECT_EQ(in_flight.send(0), 1);
}

}  // namespace
}  // namespace hub::bench
