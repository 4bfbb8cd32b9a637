#pragma once

#include "base/message.h"
#include "base/steady_time.h"

namespace hub {

// When the turn of a shard's loop began, by both clocks: read once for all that the turn handles.
struct TurnTime {
  SteadyTime steady;
  Timestamp wall;
};

}  // namespace hub
