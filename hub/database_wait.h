#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/log.h"
#include "storage/database_error.h"
#include "storage/trouble.h"

namespace hub {

// What a start needs of the database, tried again and again while the database is away. The log and
// the service manager are told that the hub waits, for whom and why: once, again when the reason
// becomes another, and when the database is there.
class DatabaseWait {
 public:
  using Write = std::function<void(log::Level level, const std::string& line)>;
  using Pause = std::function<void(std::chrono::microseconds time)>;

  // database: as the log may show it. write, pause: to the log, and asleep, when empty.
  explicit DatabaseWait(std::string database, storage::Patience patience = {}, Write write = {},
                        Pause pause = {});

  // Returns once `step` has. It begins anew, after a pause that grows, when it throws a
  // DatabaseError that may pass; after one by silence, it and later steps get more patience. Throws
  // what else it throws; a DatabaseError that waiting does not cure says what does.
  void until_done(const std::function<void(const storage::Patience& patience)>& step);

 private:
  using Clock = std::chrono::steady_clock;

  void tell(storage::Trouble trouble, const storage::DatabaseFault& fault);

  const std::string database_;
  storage::Patience patience_;
  const std::chrono::milliseconds longest_answer_;
  Write write_;
  Pause pause_;
};

}  // namespace hub
