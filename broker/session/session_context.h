#pragma once

#include "base/meter.h"
#include "base/turn_time.h"
#include "broker/session/effects.h"
#include "broker/session/session_counters.h"
#include "broker/session/session_options.h"
#include "broker/session/sessions.h"

namespace hub::broker {

// What the handlers of a shard's sessions share. Borrows all of it from the shard.
struct SessionContext {
  const SessionOptions& options;
  SessionCounters& counters;
  const TurnTime& time;
  ClientEffects& clients;
  RoutingEffects& routing;
  ShardEffects& shard;
  Sessions& sessions;
  Meter* meter = nullptr;  // counts messages and devices, if anybody wants to know
};

}  // namespace hub::broker
