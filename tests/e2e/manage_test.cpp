// The control plane as a person uses it, in real network namespaces: needs root.
#include <gtest/gtest.h>

#include "tests/e2e/control_plane_process.h"

namespace hub::test {
namespace {

namespace machine = instances::testing;

class Manage : public ::testing::Test {
 protected:
  void SetUp() override {
    leave_the_machines_network();
    plane_ = std::make_unique<ControlPlaneProcess>();
  }
  void TearDown() override {
    if (!plane_ || HasFailure()) return;
    plane_->stop();
    for (const auto& what : plane_->left_behind()) ADD_FAILURE() << "left behind: " << what;
  }

  // The address of an endpoint, "10.1.1.4:1883".
  std::string address(const char* account, const char* kind, const char* field) const {
    const auto endpoint = text_in(plane_->only(account, kind), field);
    return endpoint.substr(0, endpoint.find(':'));
  }
  std::string devices(const char* account) const {
    return plane_->query(account, "SELECT device FROM telemetry ORDER BY received_at");
  }

  std::unique_ptr<ControlPlaneProcess> plane_;
};

TEST_F(Manage, TwoAccountsWithTheSameAddressesDoNotMeet) {
  const auto& plane = *plane_;
  plane.make_account("acme", "11010519491231002X");
  EXPECT_NE(plane.call("acme", plane.create_hub()).err.find("iothub manage rds init db"),
            std::string::npos);
  plane.make_account("other", "440524188001010014");
  for (const char* name : {"acme", "other"}) {
    plane.done(name, {"rds", "init", "db"});
    plane.done(name, plane.create_hub());
  }

  EXPECT_TRUE(publish(plane.public_port("acme"), "acme-1"));
  EXPECT_TRUE(publish(plane.public_port("other"), "other-1"));
  EXPECT_EQ(devices("acme"), "acme-1");
  EXPECT_EQ(devices("other"), "other-1");

  const auto inside = plane.namespace_of(text_in(plane.only("acme", "hub"), "instanceId"));
  const auto own_hub = address("acme", "hub", "privateEndpoint");
  const auto own_rds = address("acme", "rds", "internalEndpoint");
  EXPECT_TRUE(machine::can_ping(inside, own_rds));
  for (const auto& foreign :
       {address("other", "hub", "privateEndpoint"), address("other", "rds", "internalEndpoint")}) {
    if (foreign == own_hub || foreign == own_rds) continue;  // one's own has that address
    EXPECT_FALSE(machine::can_ping(inside, foreign));
    EXPECT_NE(machine::connect_from(inside, foreign, 1883).error, 0);
    EXPECT_NE(machine::connect_from(inside, foreign, 5432).error, 0);
  }

  plane.done("acme", {"sg", "create", "--vpc", "plant", "--name", "closed"});
  plane.done("acme", {"hub", "update", "hub1", "--security-group", "closed"});
  const auto neighbour = plane.namespace_of(text_in(plane.only("acme", "rds"), "instanceId"));
  EXPECT_TRUE(eventually([&] { return !publish(plane.public_port("acme"), "refused"); }));
  EXPECT_NE(machine::connect_from(neighbour, own_hub, 1883).error, 0);
  EXPECT_EQ(machine::connect_from(inside, own_rds, 5432).error, 0);  // the way to its database
  EXPECT_TRUE(publish(plane.public_port("other"), "other-2"));

  for (const char* name : {"acme", "other"}) plane.remove_account(name);
}

// Devices do not notice that the control plane is killed and comes back.
TEST_F(Manage, AHubServesOnWithoutItsControlPlane) {
  auto& plane = *plane_;
  plane.make_account("acme", "11010519491231002X");
  plane.done("acme", {"rds", "init", "db"});
  plane.done("acme", plane.create_hub());
  const auto port = plane.public_port("acme");
  plane.kill();
  EXPECT_TRUE(publish(port, "without"));
  plane.start();
  EXPECT_TRUE(publish(port, "with"));
  EXPECT_EQ(devices("acme"), "without\nwith");
  plane.remove_account("acme");
}

}  // namespace
}  // namespace hub::test
