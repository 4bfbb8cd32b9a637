// What becomes of a database that takes more than was ordered.
#include "instances/operations/worker.h"
#include "tests/instances/world.h"

namespace hub::instances {
namespace {

constexpr std::uint64_t kGb = std::uint64_t{1} << 30;

class Storage : public World {
 protected:
  Storage() { make_hub(acme); }
  std::vector<std::string> converge_with(std::uint64_t bytes) {
    provider.stored_bytes = bytes;
    return converge(machinery());
  }

  const std::string acme = account("acme");  // its database has 20 GB
};

TEST_F(Storage, IsReadOnlyWhenFullAndUntilATwentiethIsFree) {
  converge_with(20 * kGb);
  EXPECT_FALSE(clusters.read_only);
  EXPECT_EQ(rds(acme).health, "");
  converge_with(20 * kGb + 1);
  EXPECT_TRUE(clusters.read_only);
  EXPECT_TRUE(rds(acme).health.starts_with("storage full")) << rds(acme).health;
  EXPECT_NE(hub(acme).health, "");
  converge_with(19 * kGb + 1);
  EXPECT_TRUE(clusters.read_only);
  converge_with(19 * kGb);
  EXPECT_FALSE(clusters.read_only);
  EXPECT_EQ(rds(acme).health, "");
  EXPECT_EQ(hub(acme).health, "");
}

TEST_F(Storage, WhatTheClusterDidNotAnswerIsAskedAgain) {
  clusters.broken = true;
  EXPECT_EQ(converge_with(21 * kGb).size(), 1u);
  EXPECT_TRUE(rds(acme).read_only) << "it may be, from now on";
  clusters.broken = false;
  EXPECT_TRUE(converge_with(21 * kGb).empty());
  EXPECT_TRUE(clusters.read_only);
  clusters.broken = true;
  EXPECT_EQ(converge_with(1 * kGb).size(), 1u);
  EXPECT_TRUE(rds(acme).read_only) << "it still may be";
  clusters.broken = false;
  EXPECT_TRUE(converge_with(1 * kGb).empty());
  EXPECT_FALSE(clusters.read_only);
  EXPECT_FALSE(rds(acme).read_only);
}

TEST_F(Storage, OfAFullDatabaseIsForNoNewHub) {
  converge_with(21 * kGb);
  in([&](const Call& call) { return delete_hub(call, acme, "hub1", "hub1"); });
  work();
  refused(Errc::InvalidState, [&](const Call& call) { order_hub(call, acme, new_hub()); });
}

}  // namespace
}  // namespace hub::instances
