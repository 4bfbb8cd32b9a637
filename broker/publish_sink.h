#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/durable_change.h"
#include "base/message.h"
#include "base/meter.h"
#include "base/sink_route.h"

namespace hub::broker {

// Publishes a message that did not come from a client: a rule's republish action.
class Publisher {
 public:
  virtual ~Publisher() = default;

  // Copies what it needs; the message is routed after the one that is being taken, before that
  // one's acknowledgement is asked for.
  virtual void publish(std::string_view topic, std::string_view payload, Qos qos, bool retain) = 0;
};

// Where a shard's accepted publishes go besides its subscribers: rules and storage. Declared by
// the broker, implemented in pipeline/. One per shard; every call on that shard's thread.
class PublishSink {
 public:
  virtual ~PublishSink() = default;

  // What of the sink wants a topic; nullptr when nothing does. The broker caches the answer with
  // the topic's subscribers, for as long as the sink's routes are of the same version.
  [[nodiscard]] virtual const SinkRoute* route(std::string_view topic) = 0;

  // Numbers the sink's routes. Changes between two turns of the shard's loop only, and never back
  // to a number that it had: routes of another version are gone. 0: they never change.
  [[nodiscard]] virtual std::uint64_t route_version() const noexcept { return 0; }

  // Takes one message. True when something of it must become durable before it is acknowledged.
  // message.qos 0 may be shed, under a name.
  [[nodiscard]] virtual bool take(const SinkRoute& route, const MessageView& message,
                                  Publisher& publisher) = 0;

  // `token` comes back through SinkListener once all that was taken before is durable.
  virtual void acknowledge_after_commit(AckToken token) = 0;

  // There is something for make_durable(): the open batch is to close at the end of this turn, or
  // once the batch that is under way has committed, although it have no message. Until
  // on_batch_closing() has come, further calls change nothing.
  virtual void durable_change_waits() = 0;
  // Commits with the batch that is closing: with all that take() was given since the batch before,
  // or, as that, not at all. A token that was given before is told of by on_committed() after it.
  // Of several changes of one client in a batch the last one counts. Only from on_batch_closing(),
  // whether or not durable_change_waits() has asked for that. Copies what it needs.
  virtual void make_durable(const DurableChange& change) = 0;

  // Around each turn of the shard's loop.
  virtual void begin_turn(Timestamp /*now*/) {}
  virtual void end_of_turn() = 0;

  // No client is read any more: what would wait for a later turn is to become durable now.
  virtual void prepare_stop() {}

  // How many bytes more may wait to become durable; not positive at the bound. Falls by what
  // take() takes. What publishes at QoS 1 and 2 is stopped by it; QoS 0 is the sink's to shed.
  [[nodiscard]] virtual std::int64_t room_bytes() const noexcept = 0;

  // What counts the shard's messages and devices; nullptr when nobody wants to know. Always the
  // same, and as long-lived as the sink.
  [[nodiscard]] virtual Meter* meter() noexcept { return nullptr; }

  // True when nothing waits to become durable.
  [[nodiscard]] virtual bool idle() const noexcept = 0;
};

// The shard, as its sink sees it.
class SinkListener {
 public:
  virtual ~SinkListener() = default;
  // The open batch takes no more messages: make_durable() is to be called now for all that has
  // changed. Between two turns, or from end_of_turn().
  virtual void on_batch_closing() = 0;
  // For each commit, also one that nobody waits for: there is room again.
  virtual void on_committed(std::span<const AckToken> tokens) = 0;
};

}  // namespace hub::broker
