#include "storage/target_plans.h"

#include <gtest/gtest.h>

#include "tests/storage/writer_harness.h"

namespace hub::storage {
namespace {

RowTargetPtr some_target() {
  return make_target("a", {make_column("n", ColumnType::int8, "bigint")});
}

TEST(TargetPlans, AreOnePerTarget) {
  BatchPool pool;
  TargetPlans plans(pool);
  const RowTargetPtr a = some_target();
  const RowTargetPtr b = some_target();
  TargetPlan& of_a = plans.for_open(a);
  EXPECT_NE(&plans.for_open(b), &of_a);
  EXPECT_EQ(&plans.for_open(a), &of_a);
}

// Both batches are filled at the same time, and a plan knows one place.
TEST(TargetPlans, OfABatchFromTheSpoolAreApart) {
  BatchPool pool;
  TargetPlans plans(pool);
  const RowTargetPtr target = some_target();
  EXPECT_NE(&plans.for_open(target), &plans.for_spooled(target));
}

TEST(TargetPlans, AreForgottenOnceNobodyKnowsTheTargetAndNoBatchHasRowsOfIt) {
  BatchPool pool;
  TargetPlans plans(pool);
  auto batch = pool.take();
  (void)batch->rows_of(plans.for_open(some_target()));
  const RowTargetPtr known = some_target();
  (void)plans.for_open(known);
  EXPECT_EQ(plans.size(), 2u) << "the batch is in use";
  pool.give_back(std::move(batch));
  (void)plans.for_spooled(known);
  EXPECT_EQ(plans.size(), 2u) << "one is forgotten, one is new";
}

TEST(BatchPool, KnowsTheOldestBatchThatIsInUse) {
  BatchPool pool;
  auto first = pool.take();
  auto second = pool.take();
  const std::uint64_t oldest = first->serial;
  EXPECT_EQ(pool.oldest_in_use(), oldest);
  pool.give_back(std::move(first));
  EXPECT_EQ(pool.oldest_in_use(), second->serial);
  auto third = pool.take();
  EXPECT_GT(third->serial, second->serial) << "each use has a number of its own";
  pool.give_back(std::move(second));
  pool.give_back(std::move(third));
  EXPECT_EQ(pool.oldest_in_use(), oldest + 3);
}

}  // namespace
}  // namespace hub::storage
