#pragma once

#include <cstdint>
#include <span>

#include "base/message.h"
#include "broker/publish_sink.h"
#include "rules/rule_plan.h"
#include "storage/batch_writer.h"

namespace hub {

// What an action must have reached before the message that it acted on may be acknowledged.
enum class AckPolicy : std::uint8_t {
  none,    // nothing: it is done when it has acted
  commit,  // what it gave to the writer is durable: committed, or in the spool
};

// Each kind of action has one. A dead letter is written as a row is: `commit`.
[[nodiscard]] constexpr AckPolicy ack_policy(const rules::DumpAction&) noexcept {
  return AckPolicy::commit;
}
[[nodiscard]] constexpr AckPolicy ack_policy(const rules::RepublishAction&) noexcept {
  return AckPolicy::none;
}

// Decides whether a message is acknowledged at once or later, and holds back the tokens of the
// latter until all that their messages need is there.
//
// All that can be needed today is the commit of a batch. So the barrier counts nothing itself: a
// token goes to the batch that it waits for, and comes back with those before it, in the order in
// which they were given. That is each client's order [MQTT-4.6.0-2], as the broker asks in it, also
// for a message that needs nothing and follows one that does.
//
// Where other sinks join: an action that is done when a sink has accepted what it was given is an
// AckPolicy more. Tokens of its messages then wait here for the acceptance as well, and so do those
// that come after them for the same session.
//
// A shard's; every call on its thread. Writer and listener outlive it.
class AckBarrier {
 public:
  AckBarrier(storage::BatchWriter& writer, broker::SinkListener& listener)
      : writer_(writer), listener_(listener) {}

  // The calls of needs() that follow are about one message; later() says what they come to.
  void begin_message() noexcept { later_ = false; }
  void needs(AckPolicy policy) noexcept { later_ = later_ || policy != AckPolicy::none; }
  [[nodiscard]] bool later() const noexcept { return later_; }

  // `token` goes to the listener once all is there that was needed by messages before this call;
  // when it is there already, by a handler of its own on the shard's loop, never from inside the
  // call. A token is never lost but by the end of the writer, which drops what has not committed.
  void acknowledge_later(AckToken token) { writer_.acknowledge_after_commit(token); }

  // From the writer, for each batch, also one that no token waits for.
  void on_committed(std::span<const AckToken> tokens) { listener_.on_committed(tokens); }

 private:
  storage::BatchWriter& writer_;
  broker::SinkListener& listener_;
  bool later_ = false;
};

}  // namespace hub
