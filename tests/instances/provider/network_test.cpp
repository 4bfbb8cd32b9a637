#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "instances/provider/namespaces.h"
#include "tests/instances/provider/machine.h"

namespace hub::instances::testing {
namespace {

class VpcNetwork : public Machine {};
class TrafficRules : public Machine {};

TEST_F(VpcNetwork, InstancesOfOneSubnetReachEachOther) {
  make_vpc("a");
  make_port("one", "a", "10.1.1.10", allow_all());
  make_port("two", "a", "10.1.1.11", allow_all());
  const auto listener = listen_in(port_namespace("two"), 1883);
  EXPECT_TRUE(can_ping(port_namespace("one"), "10.1.1.11"));
  EXPECT_EQ(connect_from(port_namespace("one"), "10.1.1.11", 1883).error, 0);
}

TEST_F(VpcNetwork, SubnetsOfOneVpcReachEachOther) {
  make_vpc("a");
  provider_->ensure_subnet(
      {"subnet-other", "vpc-a", *parse_cidr("10.1.2.0/24"), *parse_ipv4("10.1.2.1")});
  make_port("one", "a", "10.1.1.10", allow_all());
  provider_->ensure_port({"two", "vpc-a", "subnet-other", *parse_ipv4("10.1.2.10"), allow_all()});
  const auto listener = listen_in(port_namespace("two"), 1883);
  EXPECT_TRUE(can_ping(port_namespace("one"), "10.1.2.10"));
  EXPECT_EQ(connect_from(port_namespace("one"), "10.1.2.10", 1883).error, 0);
}

TEST_F(VpcNetwork, TwoVpcsWithTheSameRangeDoNotMeet) {
  make_vpc("a");
  make_vpc("b");
  make_port("a-server", "a", "10.1.1.10", allow_all());
  make_port("a-client", "a", "10.1.1.11", allow_all());
  make_port("b-client", "b", "10.1.1.11", allow_all());
  const auto listener = listen_in(port_namespace("a-server"), 1883);
  EXPECT_EQ(connect_from(port_namespace("a-client"), "10.1.1.10", 1883).error, 0);
  EXPECT_FALSE(can_ping(port_namespace("b-client"), "10.1.1.10"));
  EXPECT_NE(connect_from(port_namespace("b-client"), "10.1.1.10", 1883).error, 0);
}

TEST_F(VpcNetwork, TwoVpcsWithTheSameAddressesAreTwoNetworks) {
  make_vpc("a");
  make_vpc("b");
  for (const std::string vpc : {"a", "b"}) {
    make_port(vpc + "-hub", vpc, "10.1.1.10", allow_all());
    make_port(vpc + "-client", vpc, "10.1.1.11", allow_all());
    make_hub(vpc + "-hub", vpc);
  }
  EXPECT_THAT(greeting_for(port_namespace("a-client"), "10.1.1.10", 1883),
              ::testing::StartsWith("a 10.1.1.11 "));
  EXPECT_THAT(greeting_for(port_namespace("b-client"), "10.1.1.10", 1883),
              ::testing::StartsWith("b 10.1.1.11 "));
}

TEST_F(VpcNetwork, VpcsWithOtherRangesDoNotMeet) {
  make_vpc("a");
  make_vpc("b", "10.2.1.0/24");
  make_port("server", "a", "10.1.1.10", allow_all());
  make_port("client", "b", "10.2.1.10", allow_all());
  const auto listener = listen_in(port_namespace("server"), 1883);
  EXPECT_FALSE(can_ping(port_namespace("client"), "10.1.1.10"));
  EXPECT_NE(connect_from(port_namespace("client"), "10.1.1.10", 1883).error, 0);
}

TEST_F(VpcNetwork, NothingInItReachesTheHostOrTheWorld) {
  make_vpc("a");
  make_port("one", "a", "10.1.1.10", allow_all());
  const auto on_host = listen_in("", 1883);
  const auto outside = listen_in(client_, 1883);
  for (const auto* address : {kHostAddress, kClientAddress, "127.0.0.1", "10.1.1.1", "8.8.8.8"})
    EXPECT_NE(connect_from(port_namespace("one"), address, 1883).error, 0) << address;
  for (const auto* address : {kHostAddress, kClientAddress, "8.8.8.8"})
    EXPECT_FALSE(can_ping(port_namespace("one"), address)) << address;
}

TEST_F(VpcNetwork, TheHostReachesNoInstanceButByItsEndpoint) {
  make_vpc("a");
  make_port("one", "a", "10.1.1.10", allow_all());
  const auto listener = listen_in(port_namespace("one"), 1883);
  EXPECT_NE(connect_from("", "10.1.1.10", 1883).error, 0);
}

TEST_F(VpcNetwork, GatewayAnswersPings) {
  make_vpc("a");
  make_port("one", "a", "10.1.1.10", allow_all());
  EXPECT_TRUE(can_ping(port_namespace("one"), "10.1.1.1"));
}

TEST_F(VpcNetwork, AddressThatIsGivenAgainIsReachedAtOnce) {
  make_vpc("a");
  make_port("client", "a", "10.1.1.10", allow_all());
  for (const std::string instance : {"old", "new"}) {
    make_port(instance, "a", "10.1.1.11", allow_all());
    const auto listener = listen_in(port_namespace(instance), 1883);
    EXPECT_EQ(connect_from(port_namespace("client"), "10.1.1.11", 1883).error, 0) << instance;
    provider_->remove(ResourceKind::port, instance);
  }
}

TEST_F(VpcNetwork, GatewayIsReachedWhicheverPortsGo) {
  make_vpc("a");
  make_port("one", "a", "10.1.1.10", allow_all());
  for (int number = 0; number < 4; ++number) {
    make_port("other", "a", "10.1.1.11", allow_all());
    EXPECT_TRUE(can_ping(port_namespace("one"), "10.1.1.1"));
    provider_->remove(ResourceKind::port, "other");
    EXPECT_TRUE(can_ping(port_namespace("one"), "10.1.1.1"));
  }
}

TEST_F(VpcNetwork, RepeatedCallsChangeNothing) {
  make_vpc("a");
  make_port("one", "a", "10.1.1.10", allow_all());
  make_port("two", "a", "10.1.1.11", allow_all());
  make_hub("two", "hello");
  const auto open = connect_from(port_namespace("one"), "10.1.1.11", 1883);
  ASSERT_EQ(open.error, 0);
  read_line(open.socket);
  for (int repeat = 0; repeat < 3; ++repeat) {
    make_vpc("a");
    make_port("one", "a", "10.1.1.10", allow_all());
    make_port("two", "a", "10.1.1.11", allow_all());
    EXPECT_TRUE(echoes(open.socket));
  }
  EXPECT_EQ(provider_->list().size(), 5U);  // VPC, subnet, two ports, hub
}

TEST_F(VpcNetwork, ListNamesEverythingOnce) {
  make_vpc("a");
  make_port("one", "a", "10.1.1.10", {});
  EXPECT_THAT(provider_->list(),
              ::testing::UnorderedElementsAre(Owned{ResourceKind::vpc, "vpc-a"},
                                              Owned{ResourceKind::subnet, "subnet-a"},
                                              Owned{ResourceKind::port, "one"}));
}

TEST_F(VpcNetwork, RemovingWhatIsAbsentSucceeds) {
  for (const auto kind : {ResourceKind::vpc, ResourceKind::subnet, ResourceKind::port,
                          ResourceKind::database, ResourceKind::hub, ResourceKind::endpoint})
    EXPECT_NO_THROW(provider_->remove(kind, "absent"));
}

TEST_F(VpcNetwork, PortNeedsItsSubnet) {
  make_vpc("a");
  EXPECT_THROW(provider_->ensure_port(
                   {"one", "vpc-a", "subnet-none", *parse_ipv4("10.1.1.10"), allow_all()}),
               ProviderError);
  EXPECT_THROW(provider_->ensure_port(
                   {"one", "vpc-none", "subnet-a", *parse_ipv4("10.1.1.10"), allow_all()}),
               ProviderError);
}

TEST_F(TrafficRules, WithoutRulesNothingComesInAndNothingGoesOut) {
  make_vpc("a");
  make_port("shut", "a", "10.1.1.10", {});
  make_port("open", "a", "10.1.1.11", allow_all());
  const auto shut = listen_in(port_namespace("shut"), 1883);
  const auto open = listen_in(port_namespace("open"), 1883);
  EXPECT_EQ(connect_from(port_namespace("open"), "10.1.1.10", 1883).error, ECONNREFUSED);
  EXPECT_EQ(connect_from(port_namespace("shut"), "10.1.1.11", 1883).error, ECONNREFUSED);
  EXPECT_FALSE(can_ping(port_namespace("open"), "10.1.1.10"));
  EXPECT_FALSE(can_ping(port_namespace("shut"), "10.1.1.11"));
}

TEST_F(TrafficRules, OnlyTheAllowedPortsArePassed) {
  make_vpc("a");
  make_port("server", "a", "10.1.1.10", {allow(Direction::inbound, Protocol::tcp, 1883, 1884)});
  make_port("client", "a", "10.1.1.11", allow_all());
  for (const std::uint16_t port : {1882, 1883, 1884, 1885}) {
    const auto listener = listen_in(port_namespace("server"), port);
    const bool allowed = port == 1883 || port == 1884;
    EXPECT_EQ(connect_from(port_namespace("client"), "10.1.1.10", port).error,
              allowed ? 0 : ECONNREFUSED)
        << port;
  }
  EXPECT_FALSE(can_ping(port_namespace("client"), "10.1.1.10"));
}

TEST_F(TrafficRules, OnlyTheAllowedPeersArePassed) {
  make_vpc("a");
  make_port("server", "a", "10.1.1.10",
            {allow(Direction::inbound, Protocol::tcp, 1883, 1883, "10.1.1.11/32")});
  make_port("friend", "a", "10.1.1.11", allow_all());
  make_port("stranger", "a", "10.1.1.12", allow_all());
  const auto listener = listen_in(port_namespace("server"), 1883);
  EXPECT_EQ(connect_from(port_namespace("friend"), "10.1.1.10", 1883).error, 0);
  EXPECT_EQ(connect_from(port_namespace("stranger"), "10.1.1.10", 1883).error, ECONNREFUSED);
}

TEST_F(TrafficRules, AnswersNeedNoRule) {
  make_vpc("a");
  make_port("server", "a", "10.1.1.10", {allow(Direction::inbound, Protocol::tcp, 1883)});
  make_port("client", "a", "10.1.1.11", {allow(Direction::outbound, Protocol::tcp, 1883)});
  make_hub("server", "hello");
  EXPECT_THAT(greeting_for(port_namespace("client"), "10.1.1.10", 1883),
              ::testing::StartsWith("hello 10.1.1.11"));
}

TEST_F(TrafficRules, IcmpIsARuleOfItsOwn) {
  make_vpc("a");
  make_port("server", "a", "10.1.1.10", {allow(Direction::inbound, Protocol::icmp)});
  make_port("client", "a", "10.1.1.11", {allow(Direction::outbound, Protocol::icmp)});
  const auto listener = listen_in(port_namespace("server"), 1883);
  EXPECT_TRUE(can_ping(port_namespace("client"), "10.1.1.10"));
  EXPECT_FALSE(can_ping(port_namespace("server"), "10.1.1.11"));
  EXPECT_NE(connect_from(port_namespace("client"), "10.1.1.10", 1883).error, 0);
}

TEST_F(TrafficRules, TakingOneAwayCutsItsConnections) {
  make_vpc("a");
  make_port("server", "a", "10.1.1.10", {allow(Direction::inbound, Protocol::tcp, 1883)});
  make_port("client", "a", "10.1.1.11", allow_all());
  make_hub("server", "hello");
  const auto open = connect_from(port_namespace("client"), "10.1.1.10", 1883);
  ASSERT_EQ(open.error, 0);
  read_line(open.socket);
  ASSERT_TRUE(echoes(open.socket));

  make_port("server", "a", "10.1.1.10", {});
  EXPECT_FALSE(echoes(open.socket));
  EXPECT_EQ(connect_from(port_namespace("client"), "10.1.1.10", 1883).error, ECONNREFUSED);

  make_port("server", "a", "10.1.1.10", {allow(Direction::inbound, Protocol::tcp, 1883)});
  EXPECT_EQ(connect_from(port_namespace("client"), "10.1.1.10", 1883).error, 0);
}

TEST_F(TrafficRules, OtherRulesLeaveConnectionsAlone) {
  make_vpc("a");
  make_port("server", "a", "10.1.1.10", {allow(Direction::inbound, Protocol::tcp, 1883)});
  make_port("client", "a", "10.1.1.11", allow_all());
  make_hub("server", "hello");
  const auto open = connect_from(port_namespace("client"), "10.1.1.10", 1883);
  ASSERT_EQ(open.error, 0);
  read_line(open.socket);
  for (std::uint16_t more = 2000; more < 2010; ++more) {
    make_port("server", "a", "10.1.1.10",
              {allow(Direction::inbound, Protocol::tcp, 1883),
               allow(Direction::inbound, Protocol::tcp, more)});
    EXPECT_TRUE(echoes(open.socket));
  }
}

TEST_F(TrafficRules, HoldForUdp) {
  make_vpc("a");
  make_port("server", "a", "10.1.1.10", {allow(Direction::inbound, Protocol::udp, 5683)});
  make_port("client", "a", "10.1.1.11", allow_all());
  const auto datagram_arrives = [&](std::uint16_t port) {
    FileDescriptor receiver, sender;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(parse_ipv4("10.1.1.10")->bits);
    {
      const NamespaceScope inside(port_namespace("server"));
      receiver = FileDescriptor(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      ::bind(receiver.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    }
    {
      const NamespaceScope inside(port_namespace("client"));
      sender = FileDescriptor(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    }
    const timeval limit{0, 500'000};
    ::setsockopt(receiver.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::sendto(sender.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&address), sizeof address);
    char byte = 0;
    return ::recv(receiver.get(), &byte, 1, 0) == 1;
  };
  EXPECT_TRUE(datagram_arrives(5683));
  EXPECT_FALSE(datagram_arrives(5684));
}

}  // namespace
}  // namespace hub::instances::testing
