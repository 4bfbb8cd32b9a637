#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "pipeline/outage_log.h"
#include "storage/batch_writer.h"

namespace hub {

// What a shard's writer tells of trouble: kept for the shard's own report, and passed on to the log
// of all shards. The rest of CommitListener, which tells of batches, is left to the derived class.
//
// A shard's; every call on its thread.
class OutageReport : public storage::CommitListener {
 public:
  // outages: outlives this object.
  OutageReport(std::uint32_t shard, OutageLog& outages) : shard_(shard), outages_(outages) {}

  [[nodiscard]] bool database_away() const noexcept { return database_away_; }
  [[nodiscard]] bool spool_refuses() const noexcept { return spool_refuses_; }

  // What became of rows. A table that takes some can be written again, whichever version of the
  // rules they are of.
  void note_rows(const storage::RowTarget& target, const storage::RowOutcome& outcome);

  void on_target_fault(const storage::RowTarget& target, const storage::DatabaseFault& fault) final;
  void on_target_usable(const storage::RowTarget& target) final;
  void on_database_unavailable(const storage::DatabaseFault& fault) final;
  void on_database_available() final;
  void on_spooling() final;
  void on_spool_drained() final;
  void on_spool_unavailable(const storage::SpoolFault& fault) final;
  void on_spool_available() final;
  void on_spool_lost(std::uint64_t records, std::string_view why) final;

 private:
  const std::uint32_t shard_;
  OutageLog& outages_;
  bool database_away_ = false;
  bool spool_refuses_ = false;
  std::set<std::string>
      faulty_;  // tables that cannot be written, as OutageLog::key_of() names them
};

}  // namespace hub
