// The control plane as a person uses it, in real network namespaces: needs root.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <thread>

#include "instances/provider/local_provider.h"
#include "tests/instances/provider/machine.h"
#include "tests/support/program.h"
#include "tests/support/raw_mqtt_client.h"

namespace hub::test {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
namespace machine = instances::testing;

class Manage : public ::testing::Test {
 protected:
  // The test has a host's network of its own, so that ports and names are free.
  void SetUp() override {
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0) << "this test needs root";
    ASSERT_EQ(run_program({"ip", "link", "set", "lo", "up"}).exit_code, 0);
    std::random_device random;
    installation_ = fmt::format("m{:06x}", random() & 0xffffff);
    start();
  }
  void TearDown() override {
    if (serve_) serve_->end(SIGTERM);
    const instances::ProviderOptions options{.installation = installation_,
                                             .data_dir = folder() / "instances",
                                             .program = program(),
                                             .public_host = {}};
    expect_nothing_is_left(options);
    if (!HasFailure()) return;
    // Nothing of a test that failed runs on; what stands on other things goes first.
    const auto provider = instances::make_local_provider(options);
    auto left = provider->list();
    std::sort(left.begin(), left.end(),
              [](const auto& a, const auto& b) { return a.kind > b.kind; });
    for (const auto& owned : left) provider->remove(owned.kind, owned.id);
  }

  // No namespace, process, file or cgroup; and in the machine's own namespace, in which this test
  // began with a loopback interface, no other one, and no rule.
  void expect_nothing_is_left(const instances::ProviderOptions& options) const {
    for (const auto& name : names()) ADD_FAILURE() << "left behind: " << name;
    for (const char* kind : {"databases", "hubs", "endpoints"}) {
      const auto kept = options.data_dir / kind;
      EXPECT_TRUE(!fs::exists(kept) || fs::is_empty(kept)) << kept;
    }
    EXPECT_TRUE(machine::eventually([&] { return machine::processes_of(options).empty(); }));
    for (const char* controller : {"", "memory", "blkio"})
      EXPECT_FALSE(fs::exists(fs::path("/sys/fs/cgroup") / controller / installation_));
    EXPECT_EQ(run_program({"nft", "list", "ruleset"}).out, "");
    const auto links = run_program({"ip", "-oneline", "link"}).out;
    EXPECT_EQ(std::count(links.begin(), links.end(), '\n'), 1) << links;
  }

  fs::path folder() const { return data_.path() / "manage"; }

  void start() {
    serve_ = std::make_unique<RunningProgram>(std::vector<std::string>{
        program(), "manage", "serve", "--port", "7880", "--data-dir", folder().string(),
        "--installation", installation_, "--public-host", "127.0.0.1"});
    ASSERT_TRUE(eventually([&] { return serve_->err().find("serves http") != std::string::npos; }))
        << serve_->err();
  }
  void kill_and_start_again() {
    serve_->end(SIGKILL);
    start();
  }

  Outcome call(const std::string& account, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {program(), "manage"});
    return run_program(arguments,
                       {.environment = {"IOTHUB_MANAGE_TOKEN=" + operator_token(),
                                        "IOTHUB_MANAGE_ACCOUNT=" + account,
                                        "XDG_CONFIG_HOME=" + (data_.path() / "config").string()}});
  }
  std::string done(const std::string& account, const std::vector<std::string>& arguments) {
    const auto outcome = call(account, arguments);
    EXPECT_EQ(outcome.exit_code, 0) << fmt::format("{}", fmt::join(arguments, " ")) << "\n"
                                    << outcome.out << outcome.err;
    return outcome.out;
  }
  json::object only(const std::string& account, const std::string& kind) {
    const auto all = json::parse(done(account, {kind, "list", "--json"})).as_array();
    return all.empty() ? json::object{} : all.front().as_object();
  }
  static std::string text(const json::object& object, const char* name) {
    return std::string(object.at(name).as_string());
  }

  // An account with a network of the same addresses as any other's, and a database in it.
  void make_account(const std::string& name, const std::string& identity) {
    done("", {"account", "create", name});
    done("", {"account", "verify", name, "--personal", "--name", name, "--id-number", identity});
    done("", {"wallet", "deposit", name, "100.00"});
    done(name, {"vpc", "create", "--name", "plant", "--cidr", "10.1.0.0/16"});
    done(name, {"subnet", "create", "--vpc", "plant", "--name", "line1", "--cidr", "10.1.1.0/28"});
    done(name, {"rds", "create", "--name", "db", "--vpc", "plant", "--subnet", "line1", "--yes"});
  }
  void make_hub(const std::string& name) {
    done(name, {"rds", "init", "db"});
    done(name, create_hub());
  }
  static std::vector<std::string> create_hub() {
    return {"hub",      "create", "--name", "hub1", "--vpc", "plant",
            "--subnet", "line1",  "--rds",  "db",   "--yes"};
  }
  void remove_account(const std::string& name) {
    if (!only(name, "hub").empty()) done(name, {"hub", "delete", "hub1", "--yes"});
    done(name, {"rds", "delete", "db", "--yes"});
    done(name, {"subnet", "delete", "line1", "--yes"});
    done(name, {"vpc", "delete", "plant", "--yes"});
  }

  std::uint16_t public_port(const std::string& account) {
    const auto endpoint = text(only(account, "hub"), "publicEndpoint");
    return static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.find(':') + 1)));
  }
  // Publishes what the hub's built-in rule stores. True when the row is committed.
  static bool publish(std::uint16_t port, const std::string& device) {
    try {
      RawMqttClient client{port};
      client.connect(device);
      client.publish("devices/" + device + "/telemetry", R"({"temp": 21})", Qos::at_least_once, 1);
      return client.expect_ack(mqtt::PacketType::puback, 1) < 0x80;
    } catch (const std::exception&) {
      return false;
    }
  }
  std::string rows(const std::string& account) {
    const auto id = text(only(account, "rds"), "instanceId");
    const auto home = folder() / "instances" / "databases" / id / "home";
    return psql(fmt::format("postgresql:///iothub?host={}&port=5432&user=postgres", home.string()),
                "SELECT device FROM telemetry ORDER BY received_at");
  }
  std::string namespace_of(const std::string& instance_id) const {
    return installation_ + "-p-" + instance_id;
  }
  // Namespaces of this installation that there are.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator("/run/netns"))
      if (entry.path().filename().string().starts_with(installation_))
        found.push_back(entry.path().filename());
    return found;
  }

  machine::DataFolder data_;
  std::string installation_;
  std::unique_ptr<RunningProgram> serve_;

 private:
  static std::string program() {
    return fs::read_symlink("/proc/self/exe").parent_path() / "iothub";
  }
  std::string operator_token() const {
    std::ifstream file(folder() / "operator.json");
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    return text(json::parse(content).as_object(), "token");
  }
};

TEST_F(Manage, TwoAccountsWithTheSameAddressesDoNotMeet) {
  make_account("acme", "11010519491231002X");
  EXPECT_NE(call("acme", create_hub()).err.find("iothub manage rds init db"), std::string::npos);
  make_account("other", "440524188001010014");
  for (const char* name : {"acme", "other"}) make_hub(name);

  EXPECT_TRUE(publish(public_port("acme"), "acme-1"));
  EXPECT_TRUE(publish(public_port("other"), "other-1"));
  EXPECT_EQ(rows("acme"), "acme-1");
  EXPECT_EQ(rows("other"), "other-1");

  const auto inside = namespace_of(text(only("acme", "hub"), "instanceId"));
  const auto address = [&](const char* account, const char* kind, const char* field) {
    const auto endpoint = text(only(account, kind), field);
    return endpoint.substr(0, endpoint.find(':'));
  };
  EXPECT_TRUE(machine::can_ping(inside, address("acme", "rds", "internalEndpoint")));
  const auto own_hub = address("acme", "hub", "privateEndpoint");
  const auto own_rds = address("acme", "rds", "internalEndpoint");
  for (const auto& foreign :
       {address("other", "hub", "privateEndpoint"), address("other", "rds", "internalEndpoint")}) {
    if (foreign == own_hub || foreign == own_rds) continue;  // one's own has that address
    EXPECT_FALSE(machine::can_ping(inside, foreign));
    EXPECT_NE(machine::connect_from(inside, foreign, 1883).error, 0);
    EXPECT_NE(machine::connect_from(inside, foreign, 5432).error, 0);
  }

  done("acme", {"sg", "create", "--vpc", "plant", "--name", "closed"});
  done("acme", {"hub", "update", "hub1", "--security-group", "closed"});
  const auto neighbour = namespace_of(text(only("acme", "rds"), "instanceId"));
  EXPECT_TRUE(eventually([&] { return machine::connect_from(inside, own_rds, 5432).error == 0; }));
  EXPECT_TRUE(eventually([&] { return !publish(public_port("acme"), "refused"); }));
  EXPECT_NE(machine::connect_from(neighbour, own_hub, 1883).error, 0);
  EXPECT_TRUE(publish(public_port("other"), "other-2"));

  for (const char* name : {"acme", "other"}) remove_account(name);
}

// Killed at several instants of a hub's creation, the control plane finishes it when it is back,
// and devices never notice a restart of the control plane.
TEST_F(Manage, AKilledControlPlaneFinishesWhatItHadBegun) {
  make_account("acme", "11010519491231002X");
  done("acme", {"rds", "init", "db"});
  for (const char* step : {"prepare_network", "start", "health_check"}) {
    std::vector<std::string> arguments = create_hub();
    const auto order = json::parse(done("acme", {"operation", "list", "--json"})).as_array().size();
    std::thread user{[&] { static_cast<void>(call("acme", arguments)); }};
    EXPECT_TRUE(eventually([&] {
      const auto all = json::parse(done("acme", {"operation", "list", "--json"})).as_array();
      return all.size() > order;
    })) << step;
    kill_and_start_again();
    user.join();
    EXPECT_TRUE(eventually([&] {
      const auto hub = only("acme", "hub");
      return !hub.empty() && text(hub, "status") == "RUNNING";
    })) << step;
    EXPECT_TRUE(publish(public_port("acme"), std::string("after-") + step));
    kill_and_start_again();
    EXPECT_TRUE(publish(public_port("acme"), std::string("again-") + step));
    done("acme", {"hub", "delete", "hub1", "--yes"});
  }
  remove_account("acme");
}

}  // namespace
}  // namespace hub::test
