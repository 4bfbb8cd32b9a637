#include "storage/pending_batches.h"

#include <gtest/gtest.h>

#include "tests/storage/writer_harness.h"

namespace hub::storage {
namespace {

class PendingBatchesTest : public testing::Test, public CommitListener {
 protected:
  void append() {
    const Value values[] = {Value::integer(1)};
    ASSERT_FALSE(open.append(target, values, {}));
  }
  void on_batch_closing() override { ++closings; }
  void on_committed(std::span<const AckToken>) override {}

  int closings = 0;
  BatchPool pool;
  TargetPlans plans{pool};
  HeldBytes held{1'000'000};
  const BatchLimits limits{.rows = 2};
  OpenBatch open{*this, pool, plans, held, limits, 0};
  PendingBatches pending{open};
  const RowTargetPtr target = make_target("a", {make_column("n", ColumnType::int8, "bigint")});
};

TEST_F(PendingBatchesTest, LeaveInTheOrderInWhichTheyWereFilled) {
  for (int i = 0; i < 5; ++i) {
    append();
    pending.close_full();
  }
  EXPECT_EQ(closings, 2);
  auto first = pending.take_first();
  auto second = pending.take_first();
  EXPECT_LT(first->serial, second->serial);
  EXPECT_EQ(second->rows(), 2u);
  EXPECT_EQ(closings, 2);
  auto third = pending.take_first();
  EXPECT_EQ(third->rows(), 1u) << "the open one goes when no other waits";
  EXPECT_EQ(closings, 3);
  EXPECT_EQ(pending.take_first(), nullptr);
  const std::uint64_t serial = first->serial;
  append();
  pending.put_back(std::move(first));
  EXPECT_EQ(pending.take_first()->serial, serial);
}

TEST_F(PendingBatchesTest, TheLastIsTheOneThatATokenHasToWaitFor) {
  EXPECT_EQ(pending.last(), nullptr);
  EXPECT_FALSE(pending.any());
  append();
  EXPECT_EQ(pending.last(), &open.batch());
  pending.sending = pending.take_first();
  EXPECT_EQ(pending.last(), pending.sending.get());
  append();
  pending.appending = pending.take_first();
  EXPECT_EQ(pending.last(), pending.appending.get());
  append();
  EXPECT_EQ(pending.last(), &open.batch());
}

TEST_F(PendingBatchesTest, OneThatIsInTheSpoolIsWaitedForByNobody) {
  append();
  pending.sending = pending.take_first();
  EXPECT_TRUE(pending.any());
  EXPECT_FALSE(pending.open_is_next());
  pending.sending->spooled = Spooled{};
  EXPECT_FALSE(pending.any());
  EXPECT_EQ(pending.last(), nullptr);
}

}  // namespace
}  // namespace hub::storage
