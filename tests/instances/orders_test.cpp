#include "instances/operations/purchase.h"

#include "tests/instances/world.h"

namespace hub::instances {
namespace {

using namespace std::chrono_literals;
using Next = ProviderError::Next;

// From the order to the instance, and every refusal on the way.
class Orders : public World {
 protected:
  Order order_hub_of(const std::string& id, const NewHub& wanted) {
    return in([&](const Call& c) { return order_hub(c, id, wanted); });
  }
  void refuses_hub(Errc code, const std::string& id, const NewHub& wanted) {
    expect_refusal(code, [&] { order_hub_of(id, wanted); });
  }
  void refuses_rds(Errc code, const std::string& id, const NewRds& wanted) {
    refused(code, [&](const Call& c) { order_rds(c, id, wanted); });
  }
  std::string order_status(const std::string& id, const std::string& number) {
    return in([&](const Call& c) { return get_order(c, id, number).status; });
  }
};

TEST_F(Orders, AHubIsMadeStepByStep) {
  const auto acme = account("acme");
  make_place(acme);
  const auto order = order_hub_of(acme, new_hub());
  EXPECT_EQ(order.status, "no_pay");
  EXPECT_EQ(order.total, Money{});
  EXPECT_TRUE(in([&](const Call& c) { return list_hubs(c, acme); }).empty());
  buy(acme, order);
  EXPECT_EQ(hub(acme).state, "preparing");
  EXPECT_EQ(order_status(acme, order.number), "dealing");
  Worker worker{machinery()};
  int progress = 0;
  std::string states;
  while (worker.run_one()) {
    const auto now = hub(acme);
    EXPECT_GE(now.progress, progress);
    progress = now.progress;
    if (!states.ends_with(now.state)) states += " " + now.state;
  }
  EXPECT_EQ(states, " preparing building running");
  EXPECT_EQ(progress, 100);
  EXPECT_EQ(order_status(acme, order.number), "paid");
  const auto made = hub(acme);
  EXPECT_EQ(made.public_host, "hub.example");
  EXPECT_EQ(made.public_port, settings.first_public_port);
  EXPECT_TRUE(provider.hubs.contains(made.id));
  EXPECT_NE(provider.configurations[made.id].find("postgresql://hub_"), std::string::npos);
  EXPECT_TRUE(clusters.roles.contains("hub_" + made.id.substr(4)));
}

TEST_F(Orders, EachPreconditionHasItsOwnRefusal) {
  const auto unverified = in([](const Call& c) { return create_account(c, "new", {}).id; });
  refuses_hub(Errc::AccountNotVerified, unverified, new_hub());
  refuses_rds(Errc::AccountNotVerified, unverified, new_rds());

  const auto poor = account("poor", yuan(49, 99));
  refuses_hub(Errc::InsufficientBalance, poor, new_hub());
  refuses_rds(Errc::InsufficientBalance, poor, new_rds());

  const auto acme = account("acme");
  auto elsewhere = new_hub();
  elsewhere.region = "cn-east-2";
  refuses_hub(Errc::RegionNotSupported, acme, elsewhere);
  refuses_hub(Errc::NotFound, acme, new_hub());  // no VPC
  make_network(acme);
  refuses_hub(Errc::NotFound, acme, new_hub());  // no database
  auto wrong_subnet = new_hub();
  wrong_subnet.subnet = "line2";
  refuses_hub(Errc::NotFound, acme, wrong_subnet);

  buy(acme, in([&](const Call& c) { return order_rds(c, acme, new_rds()).order; }));
  refuses_hub(Errc::RdsNotRunning, acme, new_hub());
  work();
  refuses_hub(Errc::DatabaseNotInitialized, acme, new_hub());
  try {
    order_hub_of(acme, new_hub());
  } catch (const Refusal& refusal) {
    EXPECT_NE(std::string(refusal.what()).find("iothub manage rds init db"), std::string::npos);
  }
  in([&](const Call& c) { return initialize_rds(c, acme, "db"); });
  work();

  in([&](const Call& c) {
    create_vpc(c, acme, {.name = "other", .prefix = "", .description = {}});
    create_subnet(c, acme,
                  {.vpc = "other", .name = "o1", .prefix = "10.9.0.0/24", .description = {}});
  });
  auto apart = new_hub();
  apart.vpc = "other";
  apart.subnet = "o1";
  refuses_hub(Errc::VpcMismatch, acme, apart);
  auto group = new_hub();
  group.security_groups = {"nothing"};
  refuses_hub(Errc::NotFound, acme, group);
  auto name = new_hub("x");
  refuses_hub(Errc::InvalidRequest, acme, name);

  buy(acme, order_hub_of(acme, new_hub()));
  work();
  refuses_hub(Errc::DatabaseInUse, acme, new_hub("hub2"));
  refused(Errc::ResourceInUse, [&](const Call& c) { delete_rds(c, acme, "db"); });
  refused(Errc::ResourceInUse, [&](const Call& c) { delete_subnet(c, acme, "line1"); });
}

TEST_F(Orders, OneHubToARegionAndAnAccountByDefault) {
  const auto acme = account("acme");
  make_hub(acme);
  buy(acme, in([&](const Call& c) { return order_rds(c, acme, new_rds("db2")).order; }));
  work();
  in([&](const Call& c) { return initialize_rds(c, acme, "db2"); });
  work();
  auto second = new_hub("hub2");
  second.rds = "db2";
  refuses_hub(Errc::QuotaExceeded, acme, second);
  store.query("INSERT INTO manage.quota_override VALUES ('" + acme + "', 'hubs', 2)");
  auto same_name = second;
  same_name.name = "hub1";
  refuses_hub(Errc::DuplicateName, acme, same_name);
  buy(acme, order_hub_of(acme, second));
  work();
  EXPECT_EQ(hub(acme, "hub2").state, "running");
  EXPECT_NE(hub(acme, "hub2").public_port, hub(acme, "hub1").public_port);
}

TEST_F(Orders, ADatabaseNeedsMoreThanTenFreeAddresses) {
  const auto acme = account("acme");
  in([&](const Call& c) {
    create_vpc(c, acme, {.name = "plant", .prefix = "", .description = {}});
    const auto subnet = create_subnet(
        c, acme, {.vpc = "plant", .name = "line1", .prefix = "10.1.1.0/28", .description = {}});
    allocate_address(c, subnet.id, "a");
    allocate_address(c, subnet.id, "b");
  });
  refuses_rds(Errc::SubnetIpExhausted, acme, new_rds());
  in([&](const Call& c) { release_address(c, "b"); });
  EXPECT_NO_THROW(in([&](const Call& c) { return order_rds(c, acme, new_rds()); }));
}

TEST_F(Orders, ADatabaseIsRefusedWhatIsNotOffered) {
  const auto acme = account("acme");
  make_network(acme);
  const auto refuses = [&](auto change) {
    auto wanted = new_rds();
    change(wanted);
    refuses_rds(Errc::InvalidRequest, acme, wanted);
  };
  refuses([](NewRds& r) { r.engine = "mysql"; });
  refuses([](NewRds& r) { r.port = 80; });
  refuses([](NewRds& r) { r.storage_gb = 25; });
  refuses([](NewRds& r) { r.name = "x"; });
  refuses([](NewRds& r) { r.charge_mode = "monthly"; });
  for (const char* name : {"postgres", "root", "pg_admin", "select", "Admin", "x", "hub_abc"})
    refuses([&](NewRds& r) { r.admin_name = name; });
}

TEST_F(Orders, TermsComeFirst) {
  const auto acme = account("acme");
  make_place(acme);
  const auto order = order_hub_of(acme, new_hub());
  refused(Errc::TermsNotAccepted,
          [&](const Call& c) { pay_order(c, acme, order.number, std::nullopt); });
  refused(Errc::TermsNotAccepted,
          [&](const Call& c) { confirm_order(c, acme, order.number, false); });
  buy(acme, order);
  refused(Errc::InvalidState,
          [&](const Call& c) { pay_order(c, acme, order.number, std::nullopt); });
}

TEST_F(Orders, WhatIsNotPaidInTimeIsCancelledByItself) {
  const auto acme = account("acme");
  make_place(acme);
  const auto order = order_hub_of(acme, new_hub());
  clock.time += 15 * 24h - 1us;
  EXPECT_EQ(in([](const Call& c) { return expire_orders(c); }), 0);
  clock.time += 1us;
  refused(Errc::InvalidState, [&](const Call& c) { confirm_order(c, acme, order.number, true); });
  EXPECT_EQ(in([](const Call& c) { return expire_orders(c); }), 1);
  EXPECT_EQ(order_status(acme, order.number), "canceled");
  EXPECT_EQ(store.count("SELECT count(*) FROM manage.hub_instance"), 0);
}

// An order that was never paid holds nothing.
TEST_F(Orders, AnUnpaidOrderKeepsNoNetworkFromBeingDeleted) {
  const auto acme = account("acme");
  make_place(acme);
  const auto order = order_hub_of(acme, new_hub());
  in([&](const Call& c) { return delete_rds(c, acme, "db"); });
  work();
  in([&](const Call& c) { return delete_subnet(c, acme, "line1"); });
  work();
  in([&](const Call& c) { return delete_vpc(c, acme, "plant"); });
  work();
  EXPECT_TRUE(provider.list().empty());
  in([&](const Call& c) { confirm_order(c, acme, order.number, true); });
  refused(Errc::NotFound, [&](const Call& c) { pay_order(c, acme, order.number, std::nullopt); });
}

// Its groups are gone: it must not become a hub that everyone may reach.
TEST_F(Orders, AnOrderWhoseSecurityGroupsAreGoneIsNotCarriedOut) {
  const auto acme = account("acme");
  make_place(acme);
  in([&](const Call& c) {
    create_group(c, acme, {.vpc = "plant", .name = "closed", .description = {}});
  });
  auto wanted = new_hub();
  wanted.security_groups = {"closed"};
  const auto order = order_hub_of(acme, wanted);
  in([&](const Call& c) { delete_group(c, acme, "closed"); });
  in([&](const Call& c) { confirm_order(c, acme, order.number, true); });
  refused(Errc::NotFound, [&](const Call& c) { pay_order(c, acme, order.number, std::nullopt); });
}

TEST_F(Orders, NoAccountSeesOrActsOnAnothersThings) {
  const auto acme = account("acme"), other = account("other");
  const auto made = make_hub(acme);
  const auto number = store.query("SELECT number FROM manage.purchase_order LIMIT 1");
  const auto operation = store.query("SELECT id FROM manage.operation LIMIT 1");
  for (const auto& ref : {made.id, made.name}) {
    refused(Errc::NotFound, [&](const Call& c) { get_hub(c, other, ref); });
    refused(Errc::NotFound, [&](const Call& c) { delete_hub(c, other, ref, "hub1"); });
    refused(Errc::NotFound, [&](const Call& c) { update_hub(c, other, ref, {}); });
  }
  refused(Errc::NotFound, [&](const Call& c) { get_rds(c, other, made.rds_id); });
  refused(Errc::NotFound, [&](const Call& c) { delete_rds(c, other, made.rds_id); });
  refused(Errc::NotFound, [&](const Call& c) { get_order(c, other, number); });
  refused(Errc::NotFound, [&](const Call& c) { get_operation(c, other, operation); });
  EXPECT_TRUE(in([&](const Call& c) { return list_hubs(c, other); }).empty());
  EXPECT_TRUE(in([&](const Call& c) { return list_orders(c, other, 0, 10); }).empty());
}

TEST_F(Orders, AStepThatFailsForAWhileIsTriedAgain) {
  const auto acme = account("acme");
  make_place(acme);
  provider.fail("dial", 3, Next::retry);
  buy(acme, order_hub_of(acme, new_hub()));
  work();
  EXPECT_EQ(hub(acme).state, "running");
}

TEST_F(Orders, AStepThatFailsForGoodUndoesTheOthersAndNamesItself) {
  const auto acme = account("acme");
  make_place(acme);
  provider.fail("ensure_hub", 1, Next::give_up);
  const auto order = order_hub_of(acme, new_hub());
  buy(acme, order);
  work();
  const auto failed = hub(acme);
  EXPECT_EQ(failed.state, "error");
  EXPECT_EQ(failed.failed_step, "start");
  EXPECT_NE(failed.message.find("as it was told to"), std::string::npos);
  EXPECT_FALSE(provider.has_any_of(failed.id));
  EXPECT_TRUE(clusters.roles.empty());
  EXPECT_EQ(order_status(acme, order.number), "failed");
  EXPECT_FALSE(in([&](const Call& c) { return find_charge(c, failed.id); }));
  EXPECT_EQ(cash(acme), yuan(100));
  // The name is held until the record is deleted; the quota and the database are free at once.
  in([&](const Call& c) { return delete_hub(c, acme, "hub1", "hub1"); });
  work();
  buy(acme, order_hub_of(acme, new_hub()));
  work();
  EXPECT_EQ(hub(acme).state, "running");
}

TEST_F(Orders, APublicPortThatIsTakenIsPassedOver) {
  const auto acme = account("acme");
  make_place(acme);
  provider.taken_ports = {settings.first_public_port,
                          static_cast<std::uint16_t>(settings.first_public_port + 1)};
  buy(acme, order_hub_of(acme, new_hub()));
  work();
  EXPECT_EQ(hub(acme).public_port, settings.first_public_port + 2);
}

TEST_F(Orders, ADatabaseThatLostItsTablesFailsTheHub) {
  const auto acme = account("acme");
  make_place(acme);
  clusters.initialized.clear();
  buy(acme, order_hub_of(acme, new_hub()));
  work();
  EXPECT_EQ(hub(acme).state, "error");
  EXPECT_EQ(hub(acme).failed_step, "check_database");
  EXPECT_NE(hub(acme).message.find("rds init db"), std::string::npos);
}

TEST_F(Orders, APackageIsPaidAtOnceAndGivenBackWhenItFails) {
  const auto acme = account("acme", yuan(648));
  make_network(acme);
  auto wanted = new_rds();
  wanted.charge_mode = "monthly";
  wanted.months = 6;
  provider.fail("ensure_database", 1, Next::give_up);
  const auto order = in([&](const Call& c) { return order_rds(c, acme, wanted).order; });
  EXPECT_EQ(order.total, yuan(648));
  buy(acme, order);
  EXPECT_EQ(cash(acme), Money{});
  work();
  EXPECT_EQ(rds(acme).state, "error");
  EXPECT_EQ(order_status(acme, order.number), "refund_all");
  EXPECT_EQ(cash(acme), yuan(648));
  expect_sound();
}

TEST_F(Orders, APackageTakesOneCouponThatCoversIt) {
  const auto acme = account("acme", yuan(60));
  make_network(acme);
  const auto issue = [&](const std::string& number, const std::string& product) {
    in([&](const Call& c) {
      issue_coupon(c,
                   {.number = number,
                    .kind = "free",
                    .total = yuan(50),
                    .remaining = {},
                    .products = {product},
                    .charge_modes = {"monthly"},
                    .valid_from = c.now,
                    .valid_to = c.now + 24h},
                   acme);
    });
  };
  issue("for-rds", "rds");
  issue("for-hub", "hub");
  auto wanted = new_rds();
  wanted.charge_mode = "monthly";
  wanted.months = 1;
  const auto order = in([&](const Call& c) { return order_rds(c, acme, wanted).order; });
  in([&](const Call& c) { confirm_order(c, acme, order.number, true); });
  refused(Errc::CouponNotApplicable,
          [&](const Call& c) { pay_order(c, acme, order.number, "for-hub"); });
  refused(Errc::InsufficientBalance,
          [&](const Call& c) { pay_order(c, acme, order.number, std::nullopt); });
  const auto paid = in([&](const Call& c) { return pay_order(c, acme, order.number, "for-rds"); });
  EXPECT_EQ(paid.from_coupon, yuan(50));
  EXPECT_EQ(paid.from_cash, yuan(58));
  work();
  EXPECT_EQ(rds(acme).state, "running");
  refused(Errc::PrepaidNotExpired, [&](const Call& c) { delete_rds(c, acme, "db"); });
}

TEST_F(Orders, DeletingAHubLeavesTheDatabaseAndNothingElse) {
  const auto acme = account("acme");
  const auto made = make_hub(acme);
  refused(Errc::InvalidRequest, [&](const Call& c) { delete_hub(c, acme, "hub1", ""); });
  in([&](const Call& c) { return delete_hub(c, acme, "hub1", "hub1"); });
  EXPECT_EQ(hub(acme).state, "deleting");
  work();
  refused(Errc::NotFound, [&](const Call& c) { get_hub(c, acme, "hub1"); });
  EXPECT_FALSE(provider.has_any_of(made.id));
  EXPECT_TRUE(clusters.roles.empty());
  EXPECT_EQ(rds(acme).state, "running");
  EXPECT_TRUE(rds(acme).initialized);
  in([&](const Call& c) { return delete_rds(c, acme, "db"); });
  work();
  in([&](const Call& c) { return delete_subnet(c, acme, "line1"); });
  work();
  in([&](const Call& c) { return delete_vpc(c, acme, "plant"); });
  work();
  EXPECT_TRUE(provider.list().empty());
}

TEST_F(Orders, AChangeOfSizeRestartsTheHubAndNothingElseDoes) {
  const auto acme = account("acme");
  const auto made = make_hub(acme);
  EXPECT_EQ(in([&](const Call& c) {
              HubChange change;
              change.description = "the first";
              return update_hub(c, acme, "hub1", change);
            }),
            "");
  in([&](const Call& c) {
    HubChange change;
    change.shards = 2;
    return update_hub(c, acme, "hub1", change);
  });
  EXPECT_EQ(hub(acme).state, "updating");
  work();
  EXPECT_EQ(hub(acme).state, "running");
  EXPECT_NE(provider.configurations[made.id].find("shards = 2"), std::string::npos);
  HubChange too_many;
  too_many.shards = 65;
  refused(Errc::InvalidRequest, [&](const Call& c) { update_hub(c, acme, "hub1", too_many); });
  HubChange stale;
  stale.shards = 3;
  stale.version = 1;
  refused(Errc::VersionConflict, [&](const Call& c) { update_hub(c, acme, "hub1", stale); });
}

TEST_F(Orders, RulesThatChangeReachTheMachine) {
  const auto acme = account("acme");
  const auto made = make_hub(acme);
  const auto has_1883 = [&] {
    for (const auto& rule : provider.ports[made.id].rules)
      if (rule.from_port == 1883) return true;
    return false;
  };
  in([&](const Call& c) {
    create_group(c, acme, {.vpc = "plant", .name = "closed", .description = {}});
    HubChange change;
    change.security_groups = std::vector<std::string>{"closed"};
    update_hub(c, acme, "hub1", change);
  });
  EXPECT_TRUE(converge(machinery()).empty());
  EXPECT_FALSE(has_1883());
  for (const auto& rule : provider.ports[made.id].rules)
    EXPECT_EQ(rule.direction, Direction::outbound);
  in([&](const Call& c) {
    add_rule(c, acme, "closed",
             {.id = {},
              .traffic = {Direction::inbound, Protocol::tcp, kAnywhere, 1883, 1883},
              .description = {},
              .is_default = false});
  });
  EXPECT_TRUE(converge(machinery()).empty());
  EXPECT_TRUE(has_1883());
  refused(Errc::ResourceInUse, [&](const Call& c) { delete_group(c, acme, "closed"); });
}

TEST_F(Orders, AfterARebootEverythingIsStartedAgain) {
  const auto acme = account("acme");
  const auto made = make_hub(acme);
  provider.vpcs.clear();
  provider.subnets.clear();
  provider.ports.clear();
  provider.endpoints.clear();
  provider.stopped = {made.id, made.rds_id};
  EXPECT_TRUE(converge(machinery()).empty());
  EXPECT_TRUE(provider.stopped.empty());
  EXPECT_TRUE(provider.ports.contains(made.id));
  EXPECT_EQ(provider.endpoints.size(), 1u);
}

TEST_F(Orders, ACrashLoopIsTold) {
  const auto acme = account("acme");
  const auto made = make_hub(acme);
  ProcessStatus status;
  status.state = ProcessStatus::State::waiting;
  status.failures_in_a_row = 9;
  status.last_lines = "cannot bind";
  provider.statuses[made.id] = status;
  converge(machinery());
  EXPECT_NE(hub(acme).health.find("crash loop"), std::string::npos);
  EXPECT_NE(hub(acme).health.find("cannot bind"), std::string::npos);
  provider.statuses.clear();
  converge(machinery());
  EXPECT_EQ(hub(acme).health, "");
}

TEST_F(Orders, WhatNoRecordKnowsIsRemovedAtTheStart) {
  const auto acme = account("acme");
  make_hub(acme);
  const auto before = provider.list().size();
  provider.vpcs.insert("vpc-stray");
  provider.hubs.insert("hub-stray");
  EXPECT_EQ(remove_strays(machinery()).size(), 2u);
  EXPECT_EQ(provider.list().size(), before);
}

TEST_F(Orders, ADatabaseThatIsNotOursIsRegisteredAndUsed) {
  const auto acme = account("acme");
  make_network(acme);
  in([&](const Call& c) {
    return register_rds(c, acme,
                        {.name = "db",
                         .vpc = "plant",
                         .subnet = "line1",
                         .url = "postgresql://u:p@db.example/telemetry"});
  });
  work();
  EXPECT_EQ(rds(acme).state, "running");
  in([&](const Call& c) { return initialize_rds(c, acme, "db"); });
  work();
  buy(acme, order_hub_of(acme, new_hub()));
  work();
  EXPECT_EQ(hub(acme).state, "running");
  EXPECT_NE(provider.configurations[hub(acme).id].find("db.example"), std::string::npos);
  EXPECT_TRUE(provider.databases.empty());
  clusters.broken = true;
  in([&](const Call& c) {
    return register_rds(c, acme,
                        {.name = "gone",
                         .vpc = "plant",
                         .subnet = "line1",
                         .url = "postgresql://u:p@gone.example/x"});
  });
  work();
  EXPECT_EQ(rds(acme, "gone").state, "error");
}

}  // namespace
}  // namespace hub::instances
