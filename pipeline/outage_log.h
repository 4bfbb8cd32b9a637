#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/log.h"
#include "storage/batch_writer.h"
#include "storage/trouble.h"

namespace hub {

// Says in the log what is wrong with the database and what to do: a line when the first shard finds
// it away, one when the reason becomes another, one when the last shard has it back. However many
// shards there are and attempts are made; a reason that comes again and again is told once a
// minute, and so is a server that ends connection after connection and takes the next.
//
// The same for tables that cannot be written, and for the spool.
//
// Thread-safe; not for the path of a message.
class OutageLog {
 public:
  using Clock = std::chrono::steady_clock;
  using Write = std::function<void(log::Level level, const std::string& line)>;

  // write: to the log when empty. waits: what waits for the database, as a clause.
  explicit OutageLog(Write write = {}, std::string waits = "acknowledgements wait");

  void unavailable(std::uint32_t shard, const storage::DatabaseFault& fault,
                   Clock::time_point now = Clock::now());
  void available(std::uint32_t shard, Clock::time_point now = Clock::now());

  void target_fault(std::uint32_t shard, const storage::RowTarget& target,
                    const storage::DatabaseFault& fault);
  void target_usable(std::uint32_t shard, const storage::RowTarget& target);
  // Names a target across versions of the rules: by rule and action.
  [[nodiscard]] static std::string key_of(const storage::RowTarget& target);

  void spooling(std::uint32_t shard, Clock::time_point now = Clock::now());
  void spool_drained(std::uint32_t shard, Clock::time_point now = Clock::now());
  void spool_unavailable(std::uint32_t shard, const storage::SpoolFault& fault);
  void spool_available(std::uint32_t shard);
  void spool_lost(std::uint64_t records, std::string_view why);

 private:
  Write write_;
  const std::string waits_;
  std::mutex mutex_;
  std::set<std::uint32_t> shards_;  // that find it away
  Clock::time_point since_{};
  std::optional<storage::Trouble> last_;                // the reason told last
  std::map<storage::Trouble, Clock::time_point> told_;  // of this outage
  std::optional<Clock::time_point> ended_told_;         // of any outage
  std::uint64_t ended_untold_ = 0;                      // since then
  bool only_repeats_ = false;                           // this outage began with one of those
  std::map<std::string, std::set<std::uint32_t>> faulty_targets_;  // rule and action; its shards
  std::set<std::uint32_t> spooling_;  // shards whose spool has something
  Clock::time_point spooling_since_{};
  std::set<std::uint32_t> without_spool_;  // shards that the spool takes nothing from
};

}  // namespace hub
