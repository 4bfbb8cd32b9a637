#include "pipeline/outage_report.h"

namespace hub {

void OutageReport::note_rows(const storage::RowTarget& target, const storage::RowOutcome& outcome) {
  if (faulty_.empty() || outcome.committed + outcome.duplicates == 0) return;
  if (faulty_.contains(OutageLog::key_of(target))) on_target_usable(target);
}

void OutageReport::on_target_fault(const storage::RowTarget& target,
                                   const storage::DatabaseFault& fault) {
  faulty_.insert(OutageLog::key_of(target));
  outages_.target_fault(shard_, target, fault);
}

void OutageReport::on_target_usable(const storage::RowTarget& target) {
  faulty_.erase(OutageLog::key_of(target));
  outages_.target_usable(shard_, target);
}

void OutageReport::on_database_unavailable(const storage::DatabaseFault& fault) {
  database_away_ = true;
  outages_.unavailable(shard_, fault);
}

void OutageReport::on_database_available() {
  database_away_ = false;
  outages_.available(shard_);
}

void OutageReport::on_spooling() { outages_.spooling(shard_); }
void OutageReport::on_spool_drained() { outages_.spool_drained(shard_); }

void OutageReport::on_spool_unavailable(const storage::SpoolFault& fault) {
  spool_refuses_ = true;
  outages_.spool_unavailable(shard_, fault);
}

void OutageReport::on_spool_available() {
  spool_refuses_ = false;
  outages_.spool_available(shard_);
}

void OutageReport::on_spool_lost(std::uint64_t records, std::string_view why) {
  outages_.spool_lost(records, why);
}

}  // namespace hub
