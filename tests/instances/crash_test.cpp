#include "tests/instances/world.h"

namespace hub::instances {
namespace {

using namespace std::chrono_literals;
using Next = ProviderError::Next;

// The control plane is killed at each instant at which that makes a difference: before and after
// each call to the machine, and at the beginning of each transaction. What is killed is started
// again, and either finishes or leaves nothing behind, money included.
class Crashes : public World {
 protected:
  // Everything that a process keeps in memory is new.
  void restart() {
    Claims fresh;
    Machinery m{database, clock, settings, provider, clusters, fresh};
    remove_strays(m);
    Worker worker{m};
    for (int turn = 0; turn < 400; ++turn) {
      if (worker.run_one()) continue;
      if (store.count("SELECT count(*) FROM manage.operation "
                      "WHERE status IN ('running', 'undoing')") == 0)
        return;
      clock.time += 1s;
    }
    ADD_FAILURE() << "the work does not end";
  }

  // Works with a kill at that instant. False when the work was done before.
  bool killed_at(int instant) {
    Killer killer;
    clock.killer = &killer;
    provider.killer = &killer;
    killer.kill_at(instant);
    bool killed = false;
    try {
      Claims own;
      Worker worker{{database, clock, settings, provider, clusters, own}};
      for (int turn = 0; turn < 100; ++turn)
        if (!worker.run_one()) clock.time += 1s;
    } catch (const Killed&) {
      killed = true;
    }
    clock.killer = nullptr;
    provider.killer = nullptr;
    return killed;
  }

  // Looked up by what it ordered: orders of one instant of the held clock have no order of their
  // own.
  Order order_of(const std::string& acme, const std::string& resource_id) {
    for (const auto& order : in([&](const Call& c) { return list_orders(c, acme, 0, 1000); }))
      if (order.resource_id == resource_id) return order;
    ADD_FAILURE() << "nothing was ordered as " << resource_id;
    return {};
  }

  void expect_whole(const std::string& acme) {
    const auto now = hub(acme);
    const auto order = order_of(acme, now.id);
    if (now.state == "running") {
      EXPECT_EQ(order.status, "paid");
      EXPECT_TRUE(provider.hubs.contains(now.id));
      EXPECT_EQ(provider.endpoints.size(), 1u);
      EXPECT_TRUE(in([&](const Call& c) { return find_charge(c, now.id); }));
    } else {
      EXPECT_EQ(now.state, "error");
      EXPECT_EQ(order.status, "failed");
      EXPECT_FALSE(provider.has_any_of(now.id));
      EXPECT_TRUE(clusters.roles.empty());
      EXPECT_FALSE(in([&](const Call& c) { return find_charge(c, now.id); }));
    }
    expect_sound();
  }
};

TEST_F(Crashes, InTheCreationOfAHubChangeNothingInTheEnd) {
  const auto acme = account("acme");
  make_place(acme);
  int instants = 0;
  for (int instant = 1;; ++instant) {
    buy(acme, in([&](const Call& c) { return order_hub(c, acme, new_hub()); }));
    const bool killed = killed_at(instant);
    restart();
    EXPECT_EQ(hub(acme).state, "running") << "killed at " << instant;
    expect_whole(acme);
    in([&](const Call& c) { return delete_hub(c, acme, "hub1", "hub1"); });
    work();
    if (!killed) break;
    instants = instant;
  }
  EXPECT_GT(instants, 30);
}

TEST_F(Crashes, InACreationThatFailsLeaveNothing) {
  const auto acme = account("acme");
  make_place(acme);
  for (const char* failing : {"ensure_port", "ensure_hub", "ensure_endpoint"}) {
    for (int instant = 1;; instant += 7) {
      provider.fail(failing, 100, Next::give_up);
      buy(acme, in([&](const Call& c) { return order_hub(c, acme, new_hub()); }));
      const bool killed = killed_at(instant);
      restart();
      EXPECT_EQ(hub(acme).state, "error") << failing << ", killed at " << instant;
      expect_whole(acme);
      provider.failures.clear();
      in([&](const Call& c) { return delete_hub(c, acme, "hub1", "hub1"); });
      work();
      if (!killed) break;
    }
  }
}

TEST_F(Crashes, InADeletionAreDeletionsInTheEnd) {
  const auto acme = account("acme");
  make_place(acme);
  const auto before = provider.list().size();
  for (int instant = 1;; instant += 4) {
    buy(acme, in([&](const Call& c) { return order_hub(c, acme, new_hub()); }));
    work();
    const auto id = hub(acme).id;
    in([&](const Call& c) { return delete_hub(c, acme, "hub1", "hub1"); });
    const bool killed = killed_at(instant);
    restart();
    refused(Errc::NotFound, [&](const Call& c) { get_hub(c, acme, "hub1"); });
    EXPECT_FALSE(provider.has_any_of(id));
    EXPECT_EQ(provider.list().size(), before);
    if (!killed) break;
  }
  expect_sound();
}

// A package is paid before it is made: its money is either its price or all back.
TEST_F(Crashes, KeepTheMoneyOfAPackageWhole) {
  const auto acme = account("acme", yuan(10'000));
  make_network(acme);
  auto wanted = new_rds();
  wanted.charge_mode = "monthly";
  wanted.months = 1;
  for (int instant = 1;; instant += 3) {
    const auto before = cash(acme);
    const bool fails = instant % 6 == 1;
    if (fails) provider.fail("ensure_database", 100, Next::give_up);
    buy(acme, in([&](const Call& c) { return order_rds(c, acme, wanted).order; }));
    const bool killed = killed_at(instant);
    restart();
    provider.failures.clear();
    EXPECT_EQ(rds(acme).state, fails ? "error" : "running") << "killed at " << instant;
    EXPECT_EQ(cash(acme), fails ? before : before - yuan(108));
    expect_sound();
    store.query("UPDATE manage.charge SET expires_at = started_at");
    in([&](const Call& c) { return delete_rds(c, acme, "db"); });
    work();
    if (!killed) break;
  }
}

}  // namespace
}  // namespace hub::instances
