#pragma once

#include <cstdint>
#include <memory>

#include "storage/batch.h"
#include "storage/batch_pool.h"
#include "storage/batch_writer.h"
#include "storage/spool_lane.h"
#include "storage/spool_record.h"
#include "storage/target_plans.h"

namespace hub::storage {

// A lane's records as batches again, on their way to the database. A record stays in the lane until
// the batch that it went into has committed: whoever is killed meanwhile finds it there. On
// the writer's thread.
class SpooledBatches {
 public:
  // All that is given outlives it. limits: a batch of several records has no more.
  SpooledBatches(SpoolLane& lane, SpoolTargets& targets, TargetPlans& plans, BatchPool& pool,
                 const BatchLimits& limits) noexcept
      : lane_(lane), targets_(targets), plans_(plans), pool_(pool), limits_(limits) {}

  // The database has every batch up to that number: their records are removed, and not sent.
  void in_database(std::uint64_t number) noexcept { in_database_ = number; }

  // The next records as one batch, which commits them all or none: its number is the last one's.
  // Null when there is none, or they are still being read (SpoolLane::changed tells when they are).
  [[nodiscard]] std::unique_ptr<Batch> take();

 private:
  // What became of the lane's first record.
  enum class Step { added, skipped, left };
  Step add(const SpoolRecord& record, Batch& batch, Spooled& taken);

  SpoolLane& lane_;
  SpoolTargets& targets_;
  TargetPlans& plans_;
  BatchPool& pool_;
  const BatchLimits& limits_;
  std::uint64_t in_database_ = 0;
};

}  // namespace hub::storage
