#pragma once

namespace hub {

// What a sink of messages remembers of a topic that it wants: a class of the sink's own, derived
// from this one. The broker keeps a pointer beside the topic's subscribers, and gives it back with
// each message.
class SinkRoute {
 public:
  SinkRoute() = default;
  SinkRoute(const SinkRoute&) = delete;
  SinkRoute& operator=(const SinkRoute&) = delete;
};

}  // namespace hub
