#include "instances/networks/networks.h"

#include <random>

#include "tests/instances/world.h"

namespace hub::instances {
namespace {

class Networks : public World {
 protected:
  std::string acme = account("acme");

  Vpc vpc(const std::string& name, const std::string& prefix) {
    return in([&](const Call& c) {
      return create_vpc(c, acme, {.name = name, .prefix = prefix, .description = {}});
    });
  }
  Subnet subnet(const std::string& vpc_name, const std::string& name, const std::string& prefix) {
    return in([&](const Call& c) {
      return create_subnet(c, acme,
                           {.vpc = vpc_name, .name = name, .prefix = prefix, .description = {}});
    });
  }
  void refuses_vpc(Errc code, const std::string& name, const std::string& prefix) {
    expect_refusal(code, [&] { vpc(name, prefix); });
  }
  void refuses_subnet(Errc code, const std::string& name, const std::string& prefix) {
    expect_refusal(code, [&] { subnet("plant", name, prefix); });
  }
};

TEST_F(Networks, AVpcIsPrivateAndOfAMaskFromSixteenToTwentyEight) {
  vpc("a", "10.1.0.0/16");
  vpc("b", "172.31.0.0/28");
  vpc("c", "192.168.0.0/16");
  vpc("d", "");
  for (const char* prefix : {"10.0.0.0/8", "10.0.0.0/15", "10.0.0.0/29", "8.8.0.0/16",
                             "172.32.0.0/16", "10.1.0.1/16", "10.1.0.0", "nonsense"})
    refuses_vpc(Errc::InvalidCidr, "x", prefix);
}

TEST_F(Networks, VpcsMayOverlapAndMayNotShareAName) {
  vpc("plant", "10.1.0.0/16");
  vpc("other", "10.1.0.0/16");
  refuses_vpc(Errc::DuplicateName, "plant", "10.2.0.0/16");
  refuses_vpc(Errc::InvalidRequest, "no good", "10.2.0.0/16");
}

TEST_F(Networks, ThereAreTenVpcsToARegionUnlessTheAccountHasAnotherQuota) {
  for (int i = 0; i < 10; ++i) vpc("v" + std::to_string(i), "");
  refuses_vpc(Errc::QuotaExceeded, "v10", "");
  in([&](const Call& c) {
    create_vpc(c, acme, {.name = "v10", .region = "cn-east-2", .prefix = "", .description = {}});
    c.tx.exec_params("INSERT INTO quota_override VALUES ($1, 'vpcs', 11)", acme);
  });
  vpc("v11", "");
  refuses_vpc(Errc::QuotaExceeded, "v12", "");
}

TEST_F(Networks, ASubnetLiesInItsVpcAndOverlapsNoOther) {
  vpc("plant", "10.1.0.0/16");
  subnet("plant", "line1", "10.1.1.0/24");
  subnet("plant", "line2", "10.1.2.0/24");
  refuses_subnet(Errc::CidrOutOfVpc, "x", "10.2.1.0/24");
  refuses_subnet(Errc::CidrOverlap, "x", "10.1.1.0/24");
  refuses_subnet(Errc::CidrOverlap, "x", "10.1.1.128/25");
  refuses_subnet(Errc::CidrOverlap, "x", "10.1.0.0/16");
  refuses_subnet(Errc::InvalidCidr, "x", "10.1.3.0/29");
  refuses_subnet(Errc::InvalidCidr, "x", "10.1.3.1/24");
  refuses_subnet(Errc::DuplicateName, "line1", "10.1.3.0/24");
  expect_refusal(Errc::NotFound, [&] { subnet("plnat", "x", "10.1.3.0/24"); });
}

TEST_F(Networks, AVpcWithoutARangeGrowsWithItsSubnets) {
  vpc("plant", "");
  subnet("plant", "line1", "10.1.1.0/24");
  subnet("plant", "line2", "192.168.0.0/24");
  refuses_subnet(Errc::CidrOverlap, "x", "10.1.0.0/16");
}

// Even past the checks of the program.
TEST_F(Networks, TheDatabaseRefusesSubnetsThatOverlap) {
  const auto plant = vpc("plant", "");
  subnet("plant", "line1", "10.1.1.0/24");
  EXPECT_THROW(
      store.query("INSERT INTO manage.subnet (id, vpc_id, account_id, name, prefix, created_at) "
                  "VALUES ('sub-x', '" +
                  plant.id + "', '" + acme + "', 'x', '10.1.0.0/16', now())"),
      std::runtime_error);
}

TEST_F(Networks, NoAccountSeesOrNamesAnothersNetworks) {
  const auto plant = vpc("plant", "10.1.0.0/16");
  const auto line = subnet("plant", "line1", "10.1.1.0/24");
  const auto other = account("other");
  for (const auto& ref : {plant.id, plant.name}) {
    refused(Errc::NotFound, [&](const Call& c) { get_vpc(c, other, ref); });
    refused(Errc::NotFound, [&](const Call& c) { delete_vpc(c, other, ref); });
    refused(Errc::NotFound, [&](const Call& c) {
      create_subnet(c, other,
                    {.vpc = ref, .name = "x", .prefix = "10.1.9.0/24", .description = {}});
    });
  }
  refused(Errc::NotFound, [&](const Call& c) { delete_subnet(c, other, line.id); });
  EXPECT_TRUE(in([&](const Call& c) { return list_vpcs(c, other); }).empty());
  EXPECT_TRUE(in([&](const Call& c) { return list_subnets(c, other, ""); }).empty());
}

TEST_F(Networks, AreDeletedFromTheInsideOut) {
  vpc("plant", "10.1.0.0/16");
  const auto line = subnet("plant", "line1", "10.1.1.0/24");
  refused(Errc::ResourceInUse, [&](const Call& c) { delete_vpc(c, acme, "plant"); });
  in([&](const Call& c) { allocate_address(c, line.id, "rds-x"); });
  refused(Errc::ResourceInUse, [&](const Call& c) { delete_subnet(c, acme, "line1"); });
  in([&](const Call& c) { release_address(c, "rds-x"); });
  in([&](const Call& c) { delete_subnet(c, acme, "line1"); });
  work();
  in([&](const Call& c) { delete_vpc(c, acme, "plant"); });
  work();
  EXPECT_TRUE(in([&](const Call& c) { return list_vpcs(c, acme); }).empty());
}

TEST_F(Networks, AreRenamedOnlyByWhoKnowsTheirVersion) {
  const auto plant = vpc("plant", "10.1.0.0/16");
  const auto renamed = in([&](const Call& c) {
    return update_vpc(c, acme, plant.id, {.name = "works", .description = {}, .version = 1});
  });
  EXPECT_EQ(renamed.name, "works");
  EXPECT_EQ(renamed.version, 2);
  refused(Errc::VersionConflict, [&](const Call& c) {
    update_vpc(c, acme, plant.id, {.name = "plant", .description = {}, .version = 1});
  });
}

TEST_F(Networks, AddressesAreGivenOnceUntilNoneIsLeft) {
  vpc("plant", "10.1.0.0/16");
  const auto line = subnet("plant", "line1", "10.1.1.0/28");
  std::set<Ipv4> given;
  const auto take = [&](int n, std::optional<Ipv4> wanted = std::nullopt) {
    return in([&](const Call& c) {
      return allocate_address(c, line.id, "hub-" + std::to_string(n), wanted);
    });
  };
  given.insert(take(0, parse_ipv4("10.1.1.7")));
  expect_refusal(Errc::ResourceInUse, [&] { take(99, parse_ipv4("10.1.1.7")); });
  for (const char* reserved : {"10.1.1.1", "10.1.1.15", "10.1.2.3"})
    expect_refusal(Errc::InvalidRequest, [&] { take(99, parse_ipv4(reserved)); });
  for (int i = 1; i < 12; ++i) given.insert(take(i));
  EXPECT_EQ(given.size(), 12u);
  for (const auto address : given) EXPECT_TRUE(is_usable(line.prefix, address));
  expect_refusal(Errc::SubnetIpExhausted, [&] { take(99); });
  EXPECT_EQ(in([&](const Call& c) { return get_subnet(c, acme, "", "line1"); }).free_addresses, 0);
}

// Whatever is taken and given back, no address is held twice.
TEST_F(Networks, AddressesNeverOverlap) {
  vpc("plant", "10.1.0.0/16");
  const auto line = subnet("plant", "line1", "10.1.1.0/27");
  std::mt19937 random{7};
  std::map<std::string, Ipv4> held;
  for (int i = 0; i < 150; ++i) {
    const auto id = "hub-" + std::to_string(random() % 40);
    if (held.contains(id)) {
      in([&](const Call& c) { release_address(c, id); });
      held.erase(id);
    } else if (held.size() < 28) {
      const auto address = in([&](const Call& c) { return allocate_address(c, line.id, id); });
      for (const auto& [other, taken] : held) ASSERT_NE(address, taken) << id << " and " << other;
      ASSERT_TRUE(is_usable(line.prefix, address));
      held[id] = address;
    }
  }
}

TEST_F(Networks, SecurityGroupsBeginWithThreeAndANewOneLetsNothingIn) {
  vpc("plant", "10.1.0.0/16");
  const auto groups = in([&](const Call& c) { return list_groups(c, acme, "plant"); });
  ASSERT_EQ(groups.size(), 3u);
  const auto made = in([&](const Call& c) {
    return create_group(c, acme, {.vpc = "plant", .name = "mqtt", .description = {}});
  });
  ASSERT_EQ(made.rules.size(), 4u);
  for (const auto& rule : made.rules) {
    EXPECT_EQ(rule.traffic.direction, Direction::outbound);
    EXPECT_TRUE(rule.is_default);
  }
}

TEST_F(Networks, SecurityRulesNameWhatTheyAllow) {
  vpc("plant", "10.1.0.0/16");
  in([&](const Call& c) {
    create_group(c, acme, {.vpc = "plant", .name = "mqtt", .description = {}});
  });
  const auto add = [&](TrafficRule traffic) {
    return in([&](const Call& c) {
      return add_rule(c, acme, "mqtt",
                      {.id = {}, .traffic = traffic, .description = {}, .is_default = false});
    });
  };
  const auto rule = add({Direction::inbound, Protocol::tcp, kAnywhere, 1883, 1883});
  expect_refusal(Errc::DuplicateName,
                 [&] { add({Direction::inbound, Protocol::tcp, kAnywhere, 1883, 1883}); });
  expect_refusal(Errc::InvalidRequest,
                 [&] { add({Direction::inbound, Protocol::tcp, kAnywhere, 0, 0}); });
  expect_refusal(Errc::InvalidRequest,
                 [&] { add({Direction::inbound, Protocol::tcp, kAnywhere, 2, 1}); });
  expect_refusal(Errc::InvalidRequest,
                 [&] { add({Direction::inbound, Protocol::icmp, kAnywhere, 1, 1}); });
  in([&](const Call& c) { remove_rule(c, acme, "mqtt", rule.id); });
  refused(Errc::NotFound, [&](const Call& c) { remove_rule(c, acme, "mqtt", rule.id); });
  refused(Errc::InvalidState, [&](const Call& c) { delete_group(c, acme, "default-open"); });
  in([&](const Call& c) { delete_group(c, acme, "mqtt"); });
}

}  // namespace
}  // namespace hub::instances
