#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <thread>

#include "instances/provider/process_handle.h"
#include "tests/instances/provider/machine.h"

namespace hub::instances::testing {
namespace {

using State = ProcessStatus::State;

class PublicEndpoint : public Machine {
 protected:
  void SetUp() override {
    Machine::SetUp();
    if (HasFatalFailure()) return;
    make_vpc("a");
    make_port("hub-1", "a", "10.1.1.10", {allow(Direction::inbound, Protocol::tcp, 1883)});
    make_hub("hub-1", "hello");
    make_endpoint("a", "hub-1", 1883);
  }

  [[nodiscard]] Connected connect_client() const {
    return connect_from(client_, kHostAddress, 1883);
  }

  // What the world outside hears at the endpoint.
  [[nodiscard]] std::string heard() const { return greeting_for(client_, kHostAddress, 1883); }
};

TEST_F(PublicEndpoint, LeadsToTheInstanceInTheClientsName) {
  const auto connected = connect_client();
  ASSERT_EQ(connected.error, 0);
  EXPECT_THAT(read_line(connected.socket), ::testing::StartsWith("hello 192.0.2.2 "));
  EXPECT_TRUE(echoes(connected.socket));
}

TEST_F(PublicEndpoint, TheInstanceSeesTheClientsPortAsWell) {
  const auto connected = connect_client();
  ASSERT_EQ(connected.error, 0);
  sockaddr_in own{};
  socklen_t size = sizeof own;
  ::getsockname(connected.socket.get(), reinterpret_cast<sockaddr*>(&own), &size);
  EXPECT_EQ(read_line(connected.socket), "hello 192.0.2.2 " + std::to_string(ntohs(own.sin_port)));
}

TEST_F(PublicEndpoint, NamesItsHostAndPort) {
  const auto endpoint = make_endpoint("a", "hub-1", 1883);
  EXPECT_EQ(endpoint.host, kHostAddress);
  EXPECT_EQ(endpoint.port, 1883);
}

TEST_F(PublicEndpoint, ObeysTheTrafficRulesAndTheirChanges) {
  const auto open = connect_client();
  ASSERT_EQ(open.error, 0);
  read_line(open.socket);
  ASSERT_TRUE(echoes(open.socket));

  make_port("hub-1", "a", "10.1.1.10", {});
  EXPECT_EQ(heard(), "");
  EXPECT_FALSE(echoes(open.socket));  // the connection that was open

  make_port("hub-1", "a", "10.1.1.10",
            {allow(Direction::inbound, Protocol::tcp, 1883, 1883, "192.0.2.2/32")});
  EXPECT_THAT(heard(), ::testing::StartsWith("hello 192.0.2.2 "));

  make_port("hub-1", "a", "10.1.1.10",
            {allow(Direction::inbound, Protocol::tcp, 1883, 1883, "198.51.100.0/24")});
  EXPECT_EQ(heard(), "");
}

TEST_F(PublicEndpoint, ClientOnTheHostComesInTheSharedAddress) {
  EXPECT_THAT(greeting_for("", "127.0.0.1", 1883), ::testing::StartsWith("hello 100.64.0.1 "));
}

TEST_F(PublicEndpoint, ClientWithAnAddressOfASubnetIsNotTakenForAnInstance) {
  provider_->ensure_subnet(
      {"subnet-same", "vpc-a", *parse_cidr("192.0.2.0/24"), *parse_ipv4("192.0.2.254")});
  make_endpoint("a", "hub-1", 1884);
  EXPECT_THAT(greeting_for(client_, kHostAddress, 1884),
              ::testing::StartsWith("hello 100.64.0.1 "));
  make_port("hub-1", "a", "10.1.1.10",
            {allow(Direction::inbound, Protocol::tcp, 1883, 1883, "192.0.2.0/24")});
  EXPECT_EQ(greeting_for(client_, kHostAddress, 1884), "");
}

TEST_F(PublicEndpoint, OfTwoVpcsWithTheSameAddressesLeadToTheirOwn) {
  make_vpc("b");
  make_port("hub-2", "b", "10.1.1.10", {allow(Direction::inbound, Protocol::tcp, 1883)});
  make_hub("hub-2", "other");
  make_endpoint("b", "hub-2", 1884);
  EXPECT_THAT(heard(), ::testing::StartsWith("hello "));
  EXPECT_THAT(greeting_for(client_, kHostAddress, 1884), ::testing::StartsWith("other "));
}

TEST_F(PublicEndpoint, PortThatIsTakenAsksForAnother) {
  const auto taken = listen_in("", 1999);
  try {
    make_endpoint("a", "hub-1", 1999);
    FAIL() << "shared";
  } catch (const ProviderError& error) {
    EXPECT_EQ(error.next(), ProviderError::Next::another_port);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("1999"));
  }
}

TEST_F(PublicEndpoint, CarriesManyBytesBothWaysUnchanged) {
  const auto connected = connect_client();
  ASSERT_EQ(connected.error, 0);
  read_line(connected.socket);
  std::string sent(8 << 20, 0);
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 131 >> 7);
  std::jthread sender([&] {
    for (std::size_t done = 0; done < sent.size();) {
      const auto more =
          ::send(connected.socket.get(), sent.data() + done, sent.size() - done, MSG_NOSIGNAL);
      if (more <= 0) return;
      done += static_cast<std::size_t>(more);
    }
    ::shutdown(connected.socket.get(), SHUT_WR);
  });
  std::string received;
  std::vector<char> buffer(65536);
  for (ssize_t count = 0;
       (count = ::recv(connected.socket.get(), buffer.data(), buffer.size(), 0)) > 0;)
    received.append(buffer.data(), static_cast<std::size_t>(count));
  sender.join();
  EXPECT_TRUE(received == sent) << received.size();  // the end came too, after the last byte
}

TEST_F(PublicEndpoint, ServesManyClientsAtOnce) {
  std::vector<Connected> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(connect_client());
  for (const auto& client : clients) {
    ASSERT_EQ(client.error, 0);
    EXPECT_THAT(read_line(client.socket), ::testing::StartsWith("hello "));
  }
  for (const auto& client : clients) EXPECT_TRUE(echoes(client.socket));
}

TEST_F(PublicEndpoint, ConnectionsEndWhenTheInstanceEnds) {
  const auto connected = connect_client();
  ASSERT_EQ(connected.error, 0);
  read_line(connected.socket);
  provider_->stop("hub-1", std::chrono::seconds(5));
  EXPECT_FALSE(echoes(connected.socket));
  EXPECT_EQ(heard(), "");
  make_hub("hub-1", "again");
  EXPECT_THAT(heard(), ::testing::StartsWith("again "));
}

TEST_F(PublicEndpoint, OutlivesTheControlPlaneWithItsConnections) {
  const auto connected = connect_client();
  ASSERT_EQ(connected.error, 0);
  read_line(connected.socket);
  restart_provider();
  make_endpoint("a", "hub-1", 1883);
  EXPECT_TRUE(echoes(connected.socket));
}

TEST_F(PublicEndpoint, ForwarderIsStartedAgainAndKeepsItsPort) {
  const auto before = provider_->status("end-1883");
  ASSERT_EQ(before.state, State::running);
  ProcessHandle::open(before.pid)->signal(SIGKILL);
  ASSERT_TRUE(eventually([&] {
    const auto status = provider_->status("end-1883");
    return status.state == State::running && status.pid != before.pid;
  }));
  EXPECT_THAT(heard(), ::testing::StartsWith("hello "));
}

TEST_F(PublicEndpoint, RemovedItRefusesClients) {
  provider_->remove(ResourceKind::endpoint, "end-1883");
  EXPECT_EQ(connect_client().error, ECONNREFUSED);
}

TEST_F(PublicEndpoint, RemovingItsVpcRemovesIt) {
  provider_->remove(ResourceKind::vpc, "vpc-a");
  EXPECT_EQ(connect_client().error, ECONNREFUSED);
  EXPECT_THAT(provider_->list(),
              ::testing::Not(::testing::Contains(Owned{ResourceKind::endpoint, "end-1883"})));
}

}  // namespace
}  // namespace hub::instances::testing
