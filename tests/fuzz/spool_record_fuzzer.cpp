// Feeds any bytes to what reads the spool, as a disk might after its checksums, and to what reads
// the rows of sessions, which a newer hub may have written.
//
// Beyond not crashing: a record that is refused leaves the batch as it was; one that is taken can
// be used in every way that the writer has, and is the same once it is written and read again.

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/ledger_sql.h"
#include "storage/session_row.h"
#include "storage/session_state_sql.h"
#include "storage/spool_format.h"
#include "storage/spool_record.h"

namespace hub::storage {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// A writer's part of reading records.
class Reader {
 public:
  Reader() { batch.clear(1); }
  bool add(std::string_view record) {
    const auto plan_of = [this](const RowTargetPtr& target) -> TargetPlan& {
      auto& plan = plans_[target.get()];
      if (!plan) plan = std::make_unique<TargetPlan>(target);
      return *plan;
    };
    return add_spool_record(record, targets, plan_of, batch) == SpoolRecordProblem::none;
  }

  SpoolTargets targets;
  Batch batch;

 private:
  std::map<const RowTarget*, std::unique_ptr<TargetPlan>> plans_;
};

void use(Batch& batch) {
  std::vector<ByteBuffer> arrays;
  for (TargetRows& target : batch.targets()) {
    (void)target.plan->insert(target.rows.view(), target.count(), arrays);
    std::size_t bytes = 0;
    for (const std::uint32_t message : target.messages) {
      bytes += row_bytes(target.rows.data() + bytes);
      batch.refused.add({"rule", "action", "row_refused", "detail", "23514"},
                        batch.messages.view(message), 1);
      batch.note_refused(target.plan->target(), message);
    }
    require(bytes == target.rows.size());
  }
  settle_ledger(batch);
  (void)ledger_arrays_sql(batch);
  std::vector<ParameterStatement> statements;
  add_session_statements(batch.session_changes, arrays, statements);
  std::vector<ByteBuffer> ledger_arrays;
  add_device_statements("'hub', 0", batch.ledger, first_added(batch.ledger), ledger_arrays,
                        statements);
}

void check_record(std::string_view record) {
  Reader first;
  if (!first.add(record)) {
    require(first.batch.nothing_to_write() && first.batch.messages.count() == 0);
    return;
  }
  const std::string written = write_spool_record(first.batch, first.targets);
  Reader second;
  require(second.add(written));
  require(write_spool_record(second.batch, second.targets) == written);
  require(second.add(written));
  use(first.batch);
  use(second.batch);
}

void check_session_row(std::string_view bytes) {
  const auto session = read_session_row("c", bytes);
  if (!session) return;
  std::vector<DurableSubscription> subscriptions;
  for (const auto& each : session->subscriptions) {
    subscriptions.push_back({each.filter, each.options, each.identifier});
  }
  ByteBuffer row;
  append_session_row(row, {"c", session->expiry_seconds, subscriptions, session->packet_ids});
  require(row.view() == bytes);
}

void check_keys(std::string_view bytes) {
  if (const auto owner = spool_key_owner(bytes, 8)) {
    require(spool_key(*owner, spool_key_number(bytes)) == bytes);
    require(bytes < spool_key_behind(*owner));
  }
  if (const auto mark = spool_mark_position(bytes)) require(spool_mark(*mark) == bytes);
  (void)spool_value_sequence("key", bytes);
}

}  // namespace
}  // namespace hub::storage

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  hub::storage::check_record(bytes);
  hub::storage::check_session_row(bytes);
  hub::storage::check_keys(bytes);
  return 0;
}
