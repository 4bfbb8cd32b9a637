#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/durable_change.h"
#include "base/shard.h"
#include "base/turn_time.h"
#include "broker/clients.h"
#include "broker/counters.h"
#include "broker/deadlines.h"
#include "broker/dispatch.h"
#include "broker/options.h"
#include "broker/publish_sink.h"
#include "broker/routing/router.h"
#include "broker/session/packet_handler.h"
#include "broker/shard_peers.h"

namespace hub::broker {

// One core's part of the broker: the connections and sessions of the clients whose id hashes to it,
// a copy of the routing index, and nothing that another thread touches. This is the loop, the
// deadlines and the wiring; what is done with bytes, packets and messages is in its parts.
//
// The way of a message is read in this order: on_ready → Clients → PacketHandler → Dispatch →
// (Router, sink) → finish_turn, and back from the sink: on_committed → PacketHandler → finish_turn.
//
// Every public function is called on the shard's thread; from elsewhere through OnShard.
class Shard final : public ShardOwned, public SinkListener, private ShardEffects {
 public:
  Shard(std::uint32_t id, std::uint32_t shard_count, boost::asio::io_context& io,
        const Options& options, ConnectionCount& open_connections);

  // Before listen(). peers[i] is shard i, this one among them.
  void connect_peers(std::vector<OnShard<Shard>> peers) { peers_.connect(std::move(peers)); }
  void set_sink(std::unique_ptr<PublishSink> sink);
  // A session that the database knew; before listen().
  void restore_session(const StoredSession& stored) {
    assert_home();
    sessions_.restore(stored);
  }

  // Takes connections from a listener, one more each time. The first call starts the shard.
  void listen(ListeningSocket listener);

  // No new connections and nothing read any more; `stopped` is called once what was accepted is
  // durable and acknowledged and every client was told (DISCONNECT 0x8B) and has closed, with
  // true, or when `grace` is over.
  void stop(std::chrono::milliseconds grace, std::function<void(bool complete)> stopped);

  [[nodiscard]] std::uint32_t id() const noexcept { return id_; }
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
  [[nodiscard]] std::size_t connection_count() const noexcept { return clients_.size(); }
  [[nodiscard]] std::size_t session_count() const noexcept { return sessions_.session_count(); }
  // What clients have sent that waits for room in storage, unhandled.
  [[nodiscard]] std::int64_t parked_bytes() const override { return clients_.parked_bytes(); }

  // Messages of the hub's own, retained: topic and payload of each.
  void publish_own(const std::vector<std::pair<std::string, std::string>>& messages);

  // --- From ShardPeers, of this shard and of others

  void adopt(Connection connection);
  void receive(const ShardPeers::Burst& burst);
  void on_burst_taken(std::uint32_t shard);
  void set_remote_interest(const std::string& filter, std::uint32_t shard, bool wanted);
  void on_interest_known(std::uint64_t request) { sessions_.on_interest_known(request); }
  void on_interest_confirmed(std::uint64_t request);
  [[nodiscard]] std::vector<MessageRef> matching_retained(std::string_view filter);
  void deliver_retained(std::uint64_t session, const RoutingEffects::RetainedWish& wish,
                        const std::vector<MessageRef>& messages);
  void on_retained(std::uint64_t session, const RoutingEffects::RetainedWish& wish,
                   const std::vector<MessageRef>& messages);

  // SinkListener
  void on_batch_closing() override { sessions_.on_batch_closing(); }
  void on_committed(std::span<const AckToken> tokens) override;

 private:
  void wait_ready();
  void on_ready();
  void begin_turn();
  void finish_turn();
  [[nodiscard]] bool is_wanted(const Deadlines::Deadline& deadline) const;
  void arm_timer();
  void on_timer();
  void try_finish_stop();

  // ShardEffects
  [[nodiscard]] std::int64_t room_bytes() const override { return sink_->room_bytes(); }
  void acknowledge_after_commit(AckToken token) override { sink_->acknowledge_after_commit(token); }
  void durable_change_waits() override { sink_->durable_change_waits(); }
  void make_durable(const DurableChange& change) override { sink_->make_durable(change); }
  void wake_at(SteadyTime at, Wake why, std::uint64_t owner) override;

  const std::uint32_t id_;
  const Options options_;
  Counters counters_;
  TurnTime time_;
  Deadlines deadlines_;
  std::unique_ptr<PublishSink> sink_;

  // Each part is given those that it calls, some of which are made after it: none calls another
  // before all of them are there.
  ShardPeers peers_;
  Dispatch dispatch_;
  Clients clients_;
  PacketHandler sessions_;
  Router router_;

  boost::asio::posix::stream_descriptor ready_;  // the clients' poller, in the io_context
  boost::asio::steady_timer timer_;
  std::optional<SteadyTime> timer_at_;
  bool started_ = false;
  bool reading_held_ = false;  // until the peers keep up

  struct Stop {
    SteadyTime by;
    std::function<void(bool)> stopped;
    bool clients_told = false;
  };
  std::optional<Stop> stop_;
};

}  // namespace hub::broker
