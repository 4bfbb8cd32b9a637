#include "storage/spooled_batches.h"

#include <utility>

namespace hub::storage {

std::unique_ptr<Batch> SpooledBatches::take() {
  std::unique_ptr<Batch> batch;
  Spooled taken;
  while (const SpoolRecord* const record = lane_.front()) {
    if (!batch) batch = pool_.take();
    if (add(*record, *batch, taken) == Step::left) break;
  }
  if (taken.records == 0) {
    if (batch) pool_.give_back(std::move(batch));
    return nullptr;
  }
  taken.messages = spooled_messages(*batch);
  // In iothub.writer, where a claim will look for it should the answer to its COMMIT be lost.
  batch->number = taken.last.number;
  batch->number_is_final = true;
  batch->spooled = taken;
  return batch;
}

SpooledBatches::Step SpooledBatches::add(const SpoolRecord& record, Batch& batch, Spooled& taken) {
  const Spooled place{record.position, 1, 0, record.body.size()};
  const auto skip = [&] {
    lane_.take_front();
    lane_.remove(place);
    return Step::skipped;
  };
  // Of a hub that was killed between the commit and the removal.
  if (place.last.number <= in_database_) return skip();
  const bool full = batch.rows() >= limits_.rows || taken.bytes + place.bytes > limits_.bytes;
  if (taken.records > 0 && full) return Step::left;
  const auto problem = add_spool_record(
      record.body, targets_,
      [this](const RowTargetPtr& target) -> TargetPlan& { return plans_.for_spooled(target); },
      batch);
  if (problem != SpoolRecordProblem::none) {
    // What is removed goes with all before it, and those have yet to commit.
    if (taken.records > 0) return Step::left;
    lane_.lost(1, "a record is not understood");
    return skip();
  }
  lane_.take_front();
  taken.last = place.last;
  ++taken.records;
  taken.bytes += place.bytes;
  return Step::added;
}

}  // namespace hub::storage
