#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "instances/provider/local_provider.h"
#include "instances/provider/program.h"
#include "storage/postgres_installation.h"
#include "tests/instances/provider/machine.h"

namespace hub::instances::testing {
namespace {

using namespace std::chrono_literals;

class ProcessProviderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.installation = "plain";
    options_.data_dir = data_.path() / "data";
    options_.program =
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "provider_stand_in_hub";
    options_.public_host = "localhost";
    provider_ = make_process_provider(options_);
    provider_->ensure_vpc({"vpc-a"});
    provider_->ensure_subnet(
        {"subnet-a", "vpc-a", *parse_cidr("10.1.1.0/24"), *parse_ipv4("10.1.1.1")});
  }

  void TearDown() override {
    if (!provider_) return;
    for (const auto kind : {ResourceKind::endpoint, ResourceKind::hub, ResourceKind::database,
                            ResourceKind::port, ResourceKind::subnet, ResourceKind::vpc})
      for (const auto& owned : provider_->list())
        if (owned.kind == kind) provider_->remove(kind, owned.id);
    EXPECT_TRUE(provider_->list().empty());
    EXPECT_EQ(processes_of(options_), std::vector<int>{});
  }

  Ipv4 make_port(const std::string& id) {
    return provider_->ensure_port({id, "vpc-a", "subnet-a", *parse_ipv4("10.1.1.10"), {}});
  }

  // A port that was free a moment ago.
  [[nodiscard]] static std::uint16_t free_port() {
    const auto listener = listen_in("", 0);
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }

  DataFolder data_;
  ProviderOptions options_;
  std::unique_ptr<Provider> provider_;
};

TEST_F(ProcessProviderTest, SaysThatItIsolatesNothing) {
  EXPECT_EQ(provider_->isolation(), Isolation::none);
  EXPECT_THAT(provider_->notes().front(), ::testing::HasSubstr("no isolation"));
}

TEST_F(ProcessProviderTest, EachInstanceHasALoopbackAddressThatStays) {
  const auto one = make_port("one");
  const auto two = make_port("two");
  EXPECT_TRUE(parse_cidr("127.0.0.0/8")->contains(one));
  EXPECT_NE(one, two);
  provider_.reset();
  provider_ = make_process_provider(options_);
  EXPECT_EQ(make_port("one"), one);
}

TEST_F(ProcessProviderTest, HubServesAtItsAddressAndItsEndpoint) {
  make_port("hub-1");
  const auto port = free_port();
  provider_->ensure_hub({"hub-1", "greeting hello\nlisten " + std::to_string(port) + "\n", 0});
  ASSERT_TRUE(eventually([&] {
    try {
      return read_line(provider_->dial("hub-1", port, 1s)).starts_with("hello ");
    } catch (const ProviderError&) {
      return false;
    }
  }));
  const auto public_port = free_port();
  const auto endpoint = provider_->ensure_endpoint({"end-1", public_port, "vpc-a", "hub-1", port});
  EXPECT_EQ(endpoint.host, "localhost");
  const auto connected = connect_from("", "127.0.0.1", public_port);
  ASSERT_EQ(connected.error, 0);
  EXPECT_THAT(read_line(connected.socket), ::testing::StartsWith("hello "));
  EXPECT_TRUE(echoes(connected.socket));
}

TEST_F(ProcessProviderTest, DatabaseServesAtItsAddress) {
  const auto address = make_port("db");
  DatabaseSpec spec{.instance_id = "db", .port = free_port(), .limits = {}};
  spec.limits.memory_mb = 128;
  const auto url = provider_->ensure_database(spec).admin_url;
  const auto psql = storage::PostgresInstallation::find_all().front().programs / "psql";
  const auto made = run_program({{psql.string(), "--no-psqlrc", "--dbname=" + url, "--file=-"},
                                 "CREATE ROLE app LOGIN PASSWORD 'secret';"});
  EXPECT_EQ(made.exit_code, 0) << made.error;
  const auto answer = run_program({{psql.string(), "--no-psqlrc", "--tuples-only", "--no-align",
                                    "--dbname=postgresql://app:secret@" + address.to_string() +
                                        ":" + std::to_string(spec.port) + "/postgres",
                                    "--command=SELECT 42"},
                                   {}});
  EXPECT_EQ(answer.output, "42\n") << answer.error;
}

}  // namespace
}  // namespace hub::instances::testing
