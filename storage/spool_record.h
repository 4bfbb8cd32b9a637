#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "storage/batch.h"

namespace hub::storage {

// The targets that records in the spool name, each once: a record that comes back finds the target
// that it was made for, also after the rules were loaded anew; of an earlier hub, one that is made
// anew. One writer's.
class SpoolTargets {
 public:
  // The target as it is written into a record.
  [[nodiscard]] const std::string& text_of(const RowTargetPtr& target);
  // Null when the text is none of ours.
  [[nodiscard]] RowTargetPtr find(std::string_view text);

 private:
  std::map<std::string, RowTargetPtr, std::less<>> targets_;
  std::map<const RowTarget*, const std::string*> texts_;
};

// What one batch writes, as bytes: everything but the acknowledgements that wait for it.
[[nodiscard]] std::string write_spool_record(const Batch& batch, SpoolTargets& targets);

// How many messages the record holds: of rows, and dead letters.
[[nodiscard]] std::uint64_t spooled_messages(const Batch& batch);

enum class SpoolRecordProblem : std::uint8_t {
  none,
  other_version,  // another version of the hub has written it
  malformed,
};
[[nodiscard]] SpoolRecordProblem check_spool_record(std::string_view record);

// Adds the record to a batch, behind what that has already: several records can go in one
// transaction. plan_of: of the writer. On a problem the batch is as it was.
[[nodiscard]] SpoolRecordProblem add_spool_record(
    std::string_view record, SpoolTargets& targets,
    const std::function<TargetPlan&(const RowTargetPtr&)>& plan_of, Batch& batch);

}  // namespace hub::storage
