#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/shard.h"
#include "broker/counters.h"
#include "broker/deadlines.h"
#include "broker/mqtt/ack_codec.h"
#include "broker/mqtt/connect_codec.h"
#include "broker/mqtt/framer.h"
#include "broker/mqtt/publish_codec.h"
#include "broker/mqtt/subscribe_codec.h"
#include "broker/options.h"
#include "broker/publish_sink.h"
#include "broker/routing/match_cache.h"
#include "broker/routing/retained_store.h"
#include "broker/session/session.h"
#include "broker/slot_map.h"
#include "broker/transport/connection.h"
#include "broker/transport/connection_count.h"
#include "broker/transport/poller.h"

namespace hub::broker {

class Shard;

// A message on its way to the subscribers of another shard, or to the retained messages.
struct RemoteMessage {
  MessageRef message;
  bool deliver = false;  // to that shard's subscribers
  bool retain = false;   // keep it as its topic's retained message (shard 0 only)
};

// A connection whose client belongs to another shard, with all that it has sent.
struct HandOver {
  FileDescriptor socket;
  std::string received;
};

// One core's part of the broker: the connections and sessions of the clients whose id hashes to
// it, a copy of the routing index, and nothing that another thread touches.
//
// The way of a message is read in this order: on_ready → read → handle_input → handle_publish →
// route → (deliver, sink) → finish_turn, and back from the sink: on_committed.
//
// Every public function is called on the shard's thread; from elsewhere through OnShard.
class Shard final : public ShardOwned, public SinkListener, private Publisher {
 public:
  Shard(std::uint32_t id, std::uint32_t shard_count, boost::asio::io_context& io,
        const Options& options, ConnectionCount& open_connections);
  ~Shard();

  // Before start(). peers[i] is shard i, this one among them.
  void connect_peers(std::vector<OnShard<Shard>> peers) { peers_ = std::move(peers); }
  void set_sink(std::unique_ptr<PublishSink> sink) {
    sink_ = std::move(sink);
    meter_ = sink_ ? sink_->meter() : nullptr;
  }
  // A session that storage knew; before start(). One of another shard's client is passed over.
  void restore_session(const StoredSession& stored);

  // Takes connections from a listening, non-blocking socket.
  void start(FileDescriptor listener);

  // No new connections and nothing read any more; `stopped` is called once what was accepted is
  // durable and acknowledged and every client was told (DISCONNECT 0x8B) and has closed, with
  // true, or when `grace` is over.
  void stop(std::chrono::milliseconds grace, std::function<void(bool complete)> stopped);

  [[nodiscard]] std::uint32_t id() const noexcept { return id_; }
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
  [[nodiscard]] std::size_t connection_count() const noexcept { return connections_.size(); }
  [[nodiscard]] std::size_t session_count() const noexcept { return sessions_.size(); }

  // Messages of the hub's own, retained: topic and payload of each.
  void publish_own(const std::vector<std::pair<std::string, std::string>>& messages);

  // What connections hold unhandled that wait for storage.
  [[nodiscard]] std::size_t parked_bytes() const noexcept { return parked_bytes_; }

  // From other shards.
  void adopt(HandOver hand_over);
  void receive(std::vector<RemoteMessage> burst);
  void set_remote_interest(const std::string& filter, std::uint32_t shard, bool wanted);
  void confirm_subscribe(std::uint64_t subscribe_id);
  void deliver_retained(Subscription subscription, Session::Handle session,
                        const std::vector<MessageRef>& messages);

  // SinkListener
  void on_batch_closing() override;
  void on_committed(std::span<const AckToken> tokens) override;

 private:
  enum class Progress : std::uint8_t {
    next,  // on to the next packet
    wait,  // this packet is done; the next one later
    park,  // this packet later
    stop,  // no further packet of this connection
  };
  // What an AckToken names: the packet to send.
  enum class Owed : std::uint8_t {
    puback,
    pubrec,
    pubcomp,
    connack,
    forgetting,  // no packet: the former state of a session is gone for good
  };
  struct RetainedWish {
    std::string filter;
    Subscription subscription;
  };
  struct PendingSubscribe {
    Session::Handle session = 0;
    std::string suback{};
    std::vector<RetainedWish> retained_wanted{};
    std::uint32_t missing = 0;  // confirmations of other shards
  };
  // A message as it is routed: the view always, the owned form once somebody has to keep it.
  struct Routed {
    const MessageView& view;
    std::string_view raw_properties{};  // as received
    std::string_view properties{};      // those that travel on; once there is somebody to get them
    std::optional<Timestamp> expires_at{};
    MessageRef owned{};

    const MessageRef& keep() {
      if (!owned) owned = Message::make(view, properties, expires_at);
      return owned;
    }
  };
  // What one session gets of a message, whatever number of its subscriptions match (section 3.3.4).
  struct Target {
    Qos qos = Qos::at_most_once;       // the highest of the subscriptions'
    bool retain_as_published = false;  // of any of them
    std::span<const std::uint32_t> subscription_ids{};
  };
  static std::vector<std::uint32_t> ids_of(const Target& target) {
    return {target.subscription_ids.begin(), target.subscription_ids.end()};
  }
  enum class Admission : std::uint8_t { take, answered, failed };

  // --- shard.cpp: the loop
  void wait_ready();
  void on_ready();
  void begin_turn();
  void finish_turn();
  [[nodiscard]] bool is_wanted(const Deadlines::Deadline& deadline) const;
  void arm_timer();
  void on_timer();
  void flush_bursts();
  [[nodiscard]] bool peers_keep_up() const;
  void try_finish_stop();

  // --- shard_connections.cpp: sockets and bytes
  void accept();
  void adopt_socket(FileDescriptor socket, std::string_view received);
  void read(Connection::Handle handle, Connection& connection);
  std::size_t handle_input(Connection::Handle handle, Connection& connection,
                           std::string_view bytes);
  Progress handle_packet(Connection::Handle handle, Connection& connection,
                         const mqtt::FrameHeader& frame, std::string_view body);
  void keep_partial(Connection& connection, std::string_view rest);
  void resume(Connection::Handle handle);
  void mark_dirty(Connection::Handle handle, Connection& connection);
  void flush(Connection::Handle handle, Connection& connection);
  void watch(Connection::Handle handle, Connection& connection);
  // The client broke the standard: says why as its version allows, and closes.
  void fail(Connection::Handle handle, Connection& connection, mqtt::ReasonCode reason,
            std::string_view what);
  // Lets what is written reach the client, then closes.
  void start_closing(Connection::Handle handle, Connection& connection);
  // Output that was held until a commit goes, and input is read again.
  void release_output(Connection::Handle handle, Connection& connection);
  enum class Will : std::uint8_t { publish, discard };
  void detach_session(Connection& connection, Will will);
  // The transport is gone, or is to be.
  void drop(Connection::Handle handle, Connection& connection, Will will);
  void connection_deadline(Connection::Handle handle, Connection& connection);

  // --- shard_sessions.cpp: CONNECT, DISCONNECT, the life of sessions
  Progress handle_connect(Connection::Handle handle, Connection& connection, std::string_view body);
  void refuse_connect(Connection::Handle handle, Connection& connection,
                      const mqtt::ConnectError& error);
  void open_session(Connection::Handle handle, Connection& connection,
                    const mqtt::ConnectView& connect, std::string_view client_id);
  Session* find_session(std::string_view client_id);
  Session& make_session(std::string_view client_id);
  void end_session(Session& session);
  void forgotten_for_good();
  void take_over(Session& session, bool session_ends);
  void resume_flows(Connection::Handle handle, Connection& connection, Session& session);
  void handle_disconnect(Connection::Handle handle, Connection& connection, std::string_view body);
  void client_is_away(Session& session);
  void publish_will(Session& session);
  void session_deadline(const Deadlines::Deadline& due);
  [[nodiscard]] std::uint32_t home_of(std::string_view client_id) const;
  [[nodiscard]] std::string assign_client_id();

  // --- shard_publish.cpp: what clients send
  Progress handle_publish(Connection::Handle handle, Connection& connection,
                          const mqtt::FrameHeader& frame, std::string_view body);
  // Whether a publish has to wait for storage: what waits of the session is too much beside the
  // room that is left for all, so that the greediest publishers are the first to stop.
  [[nodiscard]] bool has_to_wait(const Connection& connection, const Session& session) const;
  [[nodiscard]] bool over_quota(const Session& session) const;
  // Whether it may come to that with what one read brings.
  [[nodiscard]] bool may_have_to_wait(const Connection& connection) const;
  void park(Connection::Handle handle, Connection& connection);
  void unpark(Connection& connection);
  void count_parked(Connection& connection);  // once its unhandled input is known
  // Goes on with those that need not wait any more.
  void resume_parked();
  [[nodiscard]] static bool is_own_topic(std::string_view topic);
  void refuse_publish(Connection::Handle handle, Connection& connection,
                      const mqtt::PublishView& publish);
  Admission admit(Connection::Handle handle, Connection& connection, Session& session,
                  const mqtt::PublishView& publish);
  // The day's messages are used up.
  Progress refuse_for_today(Connection::Handle handle, Connection& connection,
                            const Session& session, const mqtt::PublishView& publish);
  void handle_pubrel(Connection::Handle handle, Connection& connection, const mqtt::AckView& ack);
  // Gives the message to its subscribers, to the other shards and to the sink; then what rules
  // published meanwhile. True when the sink has to commit something of it.
  bool route(Routed& message, const Interest& interest, Session::Handle publisher);
  bool route_republished();
  void route_own(const MessageView& view, std::string_view properties,
                 std::optional<Timestamp> expires_at);
  void publish(std::string_view topic, std::string_view payload, Qos qos, bool retain) override;
  void acknowledge(Connection::Handle handle, Connection& connection, mqtt::PacketType type,
                   mqtt::PacketId id, mqtt::ReasonCode reason = mqtt::ReasonCode::success);
  void owe(Session& session, Owed owed, std::uint16_t packet_id, std::uint32_t held_bytes = 0);
  void change_expiry(Session& session, std::uint32_t seconds);
  // Its durable state goes with a batch soon, or with whichever batch is the next.
  void mark_state_dirty(Session& session);
  void save_with_next_batch(Session& session);
  void announce_states();
  // Borrows from the session, and from scratch until the next call. Requires that it is persistent.
  [[nodiscard]] SessionKept durable_form_of(const Session& session);
  void keep_retained(const MessageRef& message);
  [[nodiscard]] MessageId next_message_id();

  // --- shard_delivery.cpp: what clients receive
  void deliver(Routed& message, const Matches& matches, Session::Handle publisher);
  void deliver_here(Routed& message, const Matches& matches, Session::Handle publisher);
  void deliver_to(Session& session, Routed& message, const Target& target);
  void send_delivery(Connection::Handle handle, Connection& connection,
                     const mqtt::Delivery& delivery, std::optional<mqtt::PacketId> id, bool dup);
  void append_shared(Connection::Handle handle, Connection& connection, Routed& message, Qos qos,
                     bool retain, std::optional<mqtt::PacketId> id);
  void drop_too_large(Connection& connection, std::optional<mqtt::PacketId> id);
  void send_waiting(Connection::Handle handle, Connection& connection, Session& session);
  bool enqueue(Session& session, mqtt::Delivery delivery);
  [[nodiscard]] bool output_has_room(const Connection& connection) const;
  void handle_ack(Connection::Handle handle, Connection& connection, mqtt::PacketType type,
                  std::string_view body);

  // --- shard_subscribe.cpp: interest
  void handle_subscribe(Connection::Handle handle, Connection& connection, std::string_view body);
  void handle_unsubscribe(Connection::Handle handle, Connection& connection, std::string_view body);
  mqtt::ReasonCode subscribe(Session& session, const mqtt::FilterView& wanted, std::uint32_t id,
                             std::vector<RetainedWish>& retained_wanted);
  [[nodiscard]] bool within_limits(std::string_view filter) const;
  void finish_subscribe(std::uint64_t subscribe_id);
  // True when the session had no subscription to that filter.
  bool add_subscription(Session& session, std::string_view filter, Subscription subscription);
  void tell_interest(std::string_view filter, bool wanted);
  void remove_interest(const Session& session, std::string_view filter);
  [[nodiscard]] std::vector<MessageRef> matching_retained(std::string_view filter);
  void ask_retained(Session::Handle session, std::vector<RetainedWish> wishes);

  // Of the listener in the poller; no connection has this handle.
  static constexpr std::uint64_t kListenerTag = ~std::uint64_t{0};

  const std::uint32_t id_;
  const std::uint32_t shard_count_;
  boost::asio::io_context& io_;
  const Options options_;
  ConnectionCount& open_connections_;  // of all shards
  std::vector<OnShard<Shard>> peers_;
  std::unique_ptr<PublishSink> sink_;
  Meter* meter_ = nullptr;  // the sink's, if it has one

  Poller poller_;
  boost::asio::posix::stream_descriptor ready_;  // the poller's descriptor, in the io_context
  boost::asio::steady_timer timer_;
  std::optional<SteadyTime> timer_at_;
  Deadlines deadlines_;
  FileDescriptor listener_;

  // One buffer for all reads of the shard; kPayloadPadding bytes more than are ever filled.
  static constexpr std::size_t kReadBufferBytes = 256 * 1024;
  std::unique_ptr<char[]> read_buffer_;
  std::string_view connect_input_;  // the CONNECT that is being handled, and what came after it

  BufferPool buffers_;
  SlotMap<Connection> connections_;
  SlotMap<Session> sessions_;
  boost::unordered_flat_map<std::string_view, Session*> by_client_id_;
  std::vector<Connection::Handle> dirty_;
  std::vector<Connection::Handle> closed_;
  std::vector<Connection::Handle> parked_;   // wait for storage, in the order in which they stopped
  std::size_t parked_bytes_ = 0;             // what they have sent, unhandled
  bool room_grew_ = false;                   // since parked_ was last looked at
  std::vector<Connection::Handle> resumed_;  // have unhandled input, and need not wait any more
  std::vector<Session::Handle> dirty_sessions_;
  bool states_announced_ = false;                // to the sink, since the last batch was closed
  std::vector<std::string> forgotten_sessions_;  // client ids whose durable state is to go
  std::vector<DurableSubscription> durable_subscriptions_;  // scratch of durable_form_of()
  std::vector<std::uint16_t> durable_packet_ids_;
  std::deque<std::string> forgetting_;  // those of which that has not committed, in its order
  boost::unordered_flat_map<std::string, std::uint32_t> forgetting_counts_;  // how often each

  SubscriptionIndex index_;
  MatchCache topics_;
  std::vector<Subscription> overlapping_;        // scratch of deliver_here()
  std::vector<std::uint32_t> subscription_ids_;  // scratch of deliver_here()
  RetainedStore<MessageRef> retained_;           // used on shard 0
  boost::unordered_flat_map<std::uint64_t, PendingSubscribe> pending_subscribes_;
  std::uint64_t next_subscribe_id_ = 1;

  // What goes to other shards at the end of the turn, and how many bursts each has not taken.
  std::vector<std::vector<RemoteMessage>> bursts_;
  std::size_t burst_bytes_ = 0;
  std::vector<std::uint32_t> bursts_under_way_;
  bool reading_held_ = false;

  // Messages that rules publish while one is routed.
  struct Republished {
    MessageRef message;
    int depth;
  };
  std::deque<Republished> republished_;
  int republish_depth_ = 0;

  // The encodings of the message that is being routed, made when first needed.
  struct SharedEncoding {
    std::uint64_t serial = 0;
    std::string bytes;
    std::size_t packet_id_offset = 0;
  };
  SharedEncoding shared_encodings_[2][3][2];  // version, QoS, retain
  std::uint64_t route_serial_ = 0;
  std::string forwarded_properties_;

  SteadyTime now_;
  Timestamp wall_now_;
  std::uint64_t message_salt_;
  std::uint64_t message_count_ = 0;
  std::uint64_t assigned_ids_ = 0;

  bool stopping_ = false;
  bool told_clients_ = false;
  SteadyTime stop_by_{};
  std::function<void(bool)> stopped_;

  Counters counters_;
};

}  // namespace hub::broker
