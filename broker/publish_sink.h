#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/message.h"
#include "base/sink_route.h"
#include "broker/meter.h"

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
  // the topic's subscribers.
  [[nodiscard]] virtual const SinkRoute* route(std::string_view topic) = 0;

  // Takes one message. True when something of it must become durable before it is acknowledged.
  // message.qos 0 may be shed, under a name.
  [[nodiscard]] virtual bool take(const SinkRoute& route, const MessageView& message,
                                  Publisher& publisher) = 0;

  // `token` comes back through SinkListener once all that was taken before is durable.
  virtual void acknowledge_after_commit(AckToken token) = 0;

  // The durable state of a session has changed: on_batch_closing() will be called soon.
  virtual void session_state_changed() = 0;
  // Only from on_batch_closing(). Empty state: forget the session.
  virtual void save_session_state(std::string_view client_id, std::string_view state) = 0;

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
  virtual void on_batch_closing() = 0;
  // For each commit, also one that nobody waits for: there is room again.
  virtual void on_committed(std::span<const AckToken> tokens) = 0;
};

}  // namespace hub::broker
