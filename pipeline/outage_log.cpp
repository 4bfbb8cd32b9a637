#include "pipeline/outage_log.h"

#include <fmt/format.h>

#include <utility>

namespace hub {
namespace {

constexpr std::chrono::minutes kRepeat{1};

}  // namespace

std::string OutageLog::key_of(const storage::RowTarget& target) {
  return target.rule + '\n' + target.action;
}

OutageLog::OutageLog(Write write, std::string waits)
    : write_(std::move(write)), waits_(std::move(waits)) {
  if (!write_) write_ = [](log::Level level, const std::string& line) { log::write(level, line); };
}

void OutageLog::unavailable(std::uint32_t shard, const storage::DatabaseFault& fault,
                            Clock::time_point now) {
  const storage::Trouble trouble = storage::trouble_of(fault);
  const storage::TroubleText text = storage::text_of(trouble);
  const std::lock_guard lock(mutex_);
  if (shards_.empty()) since_ = now;
  shards_.insert(shard);
  const auto told = told_.find(trouble);
  if (last_ == trouble || (told != told_.end() && now - told->second < kRepeat)) return;
  last_ = trouble;
  told_[trouble] = now;
  const std::string state =
      fault.sqlstate.empty() ? std::string{} : fmt::format(" (SQLSTATE {})", fault.sqlstate);
  if (trouble == storage::Trouble::batch_refused) {
    write_(log::Level::warning,
           fmt::format("a batch is sent again, {}: {}{}", waits_, fault.message, state));
    return;
  }
  if (trouble == storage::Trouble::ended) {
    only_repeats_ = ended_told_ && now - *ended_told_ < kRepeat;
    if (only_repeats_) {
      ++ended_untold_;
      return;
    }
    ended_told_ = now;
    const std::uint64_t left_out = std::exchange(ended_untold_, 0);
    write_(log::Level::warning,
           fmt::format("the database ended the hub's connection, {} until the next one is there: "
                       "{}{}{}",
                       waits_, fault.message, state,
                       left_out == 0
                           ? std::string{}
                           : fmt::format(" (and {} more since this was last told)", left_out)));
    return;
  }
  write_(log::Level::error, fmt::format("the database is away, {}: {}; {}: {}{}", waits_, text.what,
                                        text.remedy, fault.message, state));
}

void OutageLog::available(std::uint32_t shard, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (shards_.erase(shard) == 0 || !shards_.empty()) return;
  const std::chrono::duration<double> away = now - since_;
  const bool only_a_batch = told_.size() == 1 && told_.contains(storage::Trouble::batch_refused);
  const bool only_ended = told_.size() == 1 && told_.contains(storage::Trouble::ended);
  last_.reset();
  told_.clear();
  if (only_ended && only_repeats_) return;
  if (only_a_batch) {
    write_(log::Level::info, "the batch is in");
  } else {
    write_(log::Level::info, fmt::format("the database is back after {:.1f} s", away.count()));
  }
}

void OutageLog::target_fault(std::uint32_t shard, const storage::RowTarget& target,
                             const storage::DatabaseFault& fault) {
  const std::lock_guard lock(mutex_);
  std::set<std::uint32_t>& shards = faulty_targets_[key_of(target)];
  const bool known = !shards.empty();
  shards.insert(shard);
  if (known) return;
  write_(log::Level::error,
         fmt::format("rule \"{}\": table {}.{} cannot be written, its rows become dead letters: {} "
                     "(SQLSTATE {}); mend the table, its permissions or the rule, then run iothub "
                     "deadletter replay",
                     target.rule, target.schema, target.table, fault.message, fault.sqlstate));
}

void OutageLog::target_usable(std::uint32_t shard, const storage::RowTarget& target) {
  const std::lock_guard lock(mutex_);
  const auto found = faulty_targets_.find(key_of(target));
  if (found == faulty_targets_.end()) return;
  found->second.erase(shard);
  if (!found->second.empty()) return;
  faulty_targets_.erase(found);
  write_(log::Level::info, fmt::format("rule \"{}\": table {}.{} can be written again", target.rule,
                                       target.schema, target.table));
}

void OutageLog::spooling(std::uint32_t shard, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const bool first = spooling_.empty();
  spooling_.insert(shard);
  if (!first) return;
  spooling_since_ = now;
  write_(log::Level::warning,
         "messages are acknowledged from the spool, and go into the database when it is back");
}

void OutageLog::spool_drained(std::uint32_t shard, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (spooling_.erase(shard) == 0 || !spooling_.empty()) return;
  const std::chrono::duration<double> used = now - spooling_since_;
  write_(
      log::Level::info,
      fmt::format("the spool is empty after {:.1f} s: the database has all of it", used.count()));
}

void OutageLog::spool_unavailable(std::uint32_t shard, const storage::SpoolFault& fault) {
  const std::lock_guard lock(mutex_);
  const bool first = without_spool_.empty();
  without_spool_.insert(shard);
  if (!first) return;
  write_(log::Level::error,
         fmt::format("the spool {}, acknowledgements wait for the database: {}",
                     fault.full ? "is full" : "cannot be written", fault.message));
}

void OutageLog::spool_available(std::uint32_t shard) {
  const std::lock_guard lock(mutex_);
  if (without_spool_.erase(shard) == 0 || !without_spool_.empty()) return;
  write_(log::Level::info, "the spool takes messages again");
}

void OutageLog::spool_lost(std::uint64_t records, std::string_view why) {
  write_(log::Level::error,
         fmt::format("{} of the spool cannot be read, and what was acknowledged from {} is lost: "
                     "{}",
                     records == 1 ? "one batch" : fmt::format("{} batches", records),
                     records == 1 ? "it" : "them", why));
}

}  // namespace hub
