#pragma once

#include "storage/writer_counters.h"

namespace hub {

// What became of the messages that one rule got, on one shard. Written by the shard's thread.
//
// Each received message is either shed, filtered, failed, or it passed, and then its actions acted.
struct RuleCounters {
  storage::Counter received;
  storage::Counter shed;      // QoS 0 while storage had no room
  storage::Counter filtered;  // WHERE was not true
  storage::Counter failed;    // a dead letter says why
  storage::Counter rows;      // given to storage
  storage::Counter republished;
};

}  // namespace hub
