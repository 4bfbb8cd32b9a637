// The control plane as a person uses it, in real network namespaces: needs root.
#include <gtest/gtest.h>

#include <map>

#include "tests/e2e/control_plane_process.h"
#include "tests/support/raw_mqtt_client.h"

namespace hub::test {
namespace {

namespace machine = instances::testing;

class Manage : public ::testing::Test {
 protected:
  void SetUp() override { leave_the_machines_network(); }
  void start(std::vector<std::string> flags = {}) {
    plane_ = std::make_unique<ControlPlaneProcess>(std::move(flags));
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
  start();
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

// Every acknowledged message is on the bill, by its size and by the day's devices, whatever happens
// to the hub; and so is what subscribers get.
TEST_F(Manage, UsageReachesTheBillExactly) {
  start({"--free-units", "100"});
  auto& plane = *plane_;
  plane.make_account("acme", "11010519491231002X");
  plane.done("acme", {"rds", "init", "db"});
  plane.done("acme", plane.create_hub());
  const auto port = plane.public_port("acme");
  const std::string payload =
      '"' + std::string(598, 'x') + '"';  // two units of 0.5 KB, one of 2 KB
  const auto publish_many = [&](int messages) {
    for (int i = 0; i < messages; ++i)
      EXPECT_TRUE(publish(port, "device-" + std::to_string(i % 12), payload));
  };

  publish_many(60);
  plane.kill_hub("acme");
  EXPECT_TRUE(eventually([&] { return publish(port, "device-0", payload); }));
  {
    RawMqttClient subscriber{port};
    subscriber.connect("subscriber");
    subscriber.subscribe("devices/#", Qos::at_most_once);
    publish_many(19);
    for (int i = 0; i < 19; ++i) static_cast<void>(subscriber.expect_publish());
  }

  // 99 messages and deliveries, of which 50 use the free units up; 13 devices, of which 10 are
  // free.
  const auto has_counted = [&] {
    const auto days = plane.call("acme", {"hub", "usage", "hub1", "--json"});
    return days.out.find(R"("messages":99,"freeUnits":100,"paidUnits":49,"activeDevices":13)") !=
           std::string::npos;
  };
  EXPECT_TRUE(eventually(has_counted)) << plane.done("acme", {"hub", "usage", "hub1"});
  plane.done("acme", {"hub", "delete", "hub1", "--yes"});
  std::map<std::string, boost::json::object> bills;
  for (auto& bill : plane.list("acme", "bill")) bills[text_in(bill, "item")] = bill;
  ASSERT_TRUE(bills.contains("messages") && bills.contains("devices"));
  EXPECT_EQ(number_in(bills["messages"], "quantity"), 49);
  EXPECT_EQ(text_in(bills["messages"], "actualFee"), "4.24");
  EXPECT_EQ(number_in(bills["devices"], "quantity"), 13);
  EXPECT_EQ(text_in(bills["devices"], "billFee"), "0.024000");
  EXPECT_TRUE(bills["messages"].at("paid").as_bool());
  plane.remove_account("acme");
}

// Nothing that is acknowledged is lost to it, and nothing has to be started again.
TEST_F(Manage, ADatabaseWhoseStorageIsFullIsReadOnlyUntilThereIsRoom) {
  start();
  auto& plane = *plane_;
  plane.make_account("acme", "11010519491231002X");
  plane.done("acme", {"rds", "init", "db"});
  plane.done("acme", plane.create_hub());
  const auto port = plane.public_port("acme");
  EXPECT_TRUE(publish(port, "before"));
  const auto health = [&](const char* kind) { return text_in(plane.only("acme", kind), "health"); };
  const auto resize = [&](const char* gb) {
    const std::string change = "UPDATE manage.rds_instance SET storage_gb = ";
    EXPECT_EQ(plane.query_records(change + gb + " RETURNING 1"), "1");
  };

  resize("0");
  EXPECT_TRUE(eventually([&] { return health("rds").starts_with("storage full"); }));
  EXPECT_TRUE(eventually([&] { return !health("hub").empty(); }));
  RawMqttClient device{port};
  device.connect("waits");
  device.publish("devices/waits/telemetry", "1", Qos::at_least_once, 1);
  EXPECT_TRUE(device.quiet());
  EXPECT_EQ(devices("acme"), "before");

  resize("20");
  EXPECT_EQ(device.expect_ack(mqtt::PacketType::puback, 1), 0);
  EXPECT_EQ(devices("acme"), "before\nwaits");
  EXPECT_TRUE(eventually([&] { return health("rds").empty() && health("hub").empty(); }));
  plane.remove_account("acme");
}

// Devices do not notice that the control plane is killed and comes back.
TEST_F(Manage, AHubServesOnWithoutItsControlPlane) {
  start();
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

  // Nor is a session lost when the hub gets another size.
  {
    RawMqttClient subscriber{port};
    subscriber.connect("subscriber", true, 3'600);
    subscriber.subscribe("devices/#", Qos::at_least_once);
  }
  plane.done("acme", {"hub", "update", "hub1", "--shards", "2"});
  RawMqttClient subscriber{port};
  EXPECT_TRUE(subscriber.connect("subscriber", false, 3'600).session_present);
  EXPECT_TRUE(publish(port, "after"));
  EXPECT_EQ(subscriber.expect_publish().topic, "devices/after/telemetry");
  subscriber.vanish();

  // Its devices have sent more than that today.
  plane.done("acme", {"hub", "update", "hub1", "--max-messages", "1"});
  EXPECT_FALSE(publish(port, "refused"));
  EXPECT_EQ(devices("acme"), "without\nwith\nafter");
  plane.remove_account("acme");
}

}  // namespace
}  // namespace hub::test
