#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/durable_change.h"
#include "base/message.h"
#include "base/routed_message.h"
#include "base/steady_time.h"
#include "broker/session/channel.h"

// What sessions ask of the shard that drives them. They have no socket, clock or thread: bytes and
// facts come in by PacketHandler, and what is to happen goes out by these three interfaces, whose
// calls take effect at once unless they say otherwise. All on the shard's thread.

namespace hub::broker {

class RoutedFilter;
struct Interest;

// To the clients' connections.
class ClientEffects {
 public:
  virtual ~ClientEffects() = default;

  // Where to append what the client is to get, valid until the next call; it is sent at the end of
  // the turn.
  [[nodiscard]] virtual std::string& output(Channel& channel) = 0;
  // Of the output, what its socket has not taken yet.
  [[nodiscard]] virtual std::size_t unsent_bytes(const Channel& channel) const = 0;
  // Keeps the output back, and does not read, until release_output(): then it goes at the end of
  // the turn, and what was left unread is handled in it.
  virtual void keep_output(Channel& channel) = 0;
  virtual void release_output(Channel& channel) = 0;
  // The packet of which on_bytes() leaves all or a part unread is tried again after the next commit
  // that leaves room; nothing is read until then.
  virtual void wait_for_room(Channel& channel) = 0;
  // Lets the output reach the client, then ends the connection. REQUIRES stage closing.
  virtual void close(Channel& channel) = 0;
  // Ends it now. REQUIRES no session.
  virtual void drop(Channel& channel) = 0;
  // The connection goes to the shard where that client's session lives, with the CONNECT that is
  // being handled and all that came behind it. The channel is not used any more.
  virtual void hand_over(Channel& channel, std::uint32_t shard) = 0;
  // The other end, for the log.
  [[nodiscard]] virtual std::string peer(const Channel& channel) const = 0;
};

// To whoever a message is for, and to what other shards know of it.
class RoutingEffects {
 public:
  virtual ~RoutingEffects() = default;

  // Who wants a topic, a valid name; valid until the next call, and as long as no subscription
  // comes or goes.
  struct Destination {
    const Interest& interest;
    bool stored;  // the sink wants it
  };
  [[nodiscard]] virtual Destination destination(std::string_view topic) = 0;

  // A new message: its id, and the time of receipt.
  [[nodiscard]] virtual MessageView new_message() = 0;
  // Gives the message to its subscribers here and elsewhere, to the retained messages and to the
  // sink; then what rules publish meanwhile. publisher: the handle of its session, 0 for none. True
  // when something of it must be durable before it is acknowledged. message.properties are made of
  // raw_properties once there is somebody to get them.
  virtual bool route(RoutedMessage& message, const Interest& interest, std::uint64_t publisher) = 0;

  struct Added {
    const RoutedFilter* filter;  // valid as long as the subscription is there
    bool is_new;                 // this session had no subscription with that filter
  };
  // filter: a valid one. Takes the place of the slot's own with that filter [MQTT-3.8.4-3].
  virtual Added subscribe(std::string_view filter, std::uint32_t slot, SubscriptionOptions options,
                          std::uint32_t identifier) = 0;
  // REQUIRES that the slot has it. `filter` may be gone afterwards.
  virtual void unsubscribe(const RoutedFilter& filter, std::uint32_t slot) = 0;
  // REQUIRES that the slot has it. Borrows from the filter.
  [[nodiscard]] virtual DurableSubscription subscription(const RoutedFilter& filter,
                                                         std::uint32_t slot) const = 0;
  // Borrows from the filter.
  [[nodiscard]] virtual std::string_view text(const RoutedFilter& filter) const = 0;

  // Calls SubscriptionHandler::on_interest_known(request) once every shard knows of the filters
  // that were subscribed to before; perhaps at once.
  virtual void await_interest(std::uint64_t request) = 0;

  // Retained messages that a new subscription gets.
  struct RetainedWish {
    std::string filter;
    Qos qos = Qos::at_most_once;
    std::uint32_t identifier = 0;  // of the subscription; 0: none
  };
  // They come as deliveries to the session, unless it has gone by then.
  virtual void send_retained(std::uint64_t session, std::vector<RetainedWish> wishes) = 0;
};

// To storage, and to the shard's deadlines.
class ShardEffects {
 public:
  virtual ~ShardEffects() = default;

  // How many bytes more may wait to become durable; falls by what route() takes.
  [[nodiscard]] virtual std::int64_t room_bytes() const = 0;
  // What clients have sent that waits for room, unhandled.
  [[nodiscard]] virtual std::int64_t parked_bytes() const = 0;
  // PacketHandler::on_durable() gets it once all that was routed before is durable.
  virtual void acknowledge_after_commit(AckToken token) = 0;
  // What is durable of sessions has changed: PacketHandler::on_batch_closing() is called at the end
  // of the turn, or once the batch under way has committed.
  virtual void durable_change_waits() = 0;
  // Goes with the batch that is closing: only from PacketHandler::on_batch_closing().
  virtual void make_durable(const DurableChange& change) = 0;

  enum class Wake : std::uint8_t { keep_alive, will, session_expiry };
  // owner: the handle of a channel (keep_alive) or of a session.
  virtual void wake_at(SteadyTime at, Wake why, std::uint64_t owner) = 0;
};

}  // namespace hub::broker
