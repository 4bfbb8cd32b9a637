#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/slot_map.h"
#include "base/turn_time.h"
#include "broker/counters.h"
#include "broker/deadlines.h"
#include "broker/options.h"
#include "broker/parked_clients.h"
#include "broker/session/packet_handler.h"
#include "broker/shard_peers.h"
#include "broker/transport/acceptor.h"
#include "broker/transport/connection.h"
#include "broker/transport/poller.h"

namespace hub::broker {

// The connections of a shard's clients: reads them, gives what they sent to the sessions, and
// carries out what those ask for (ClientEffects). Here transport and sessions meet. A shard's;
// every call on its thread.
class Clients final : public ClientEffects {
 public:
  // Borrows all of it.
  Clients(const Options& options, Counters& counters, const TurnTime& time, Deadlines& deadlines,
          ConnectionCount& open_connections, PacketHandler& sessions, const ShardEffects& shard,
          ShardPeers& peers);

  // Takes connections from a listener, one more each time.
  void listen(ListeningSocket listener);
  void stop_listening();
  // From another shard.
  void adopt(Connection connection);

  // --- A turn of the shard

  // What is ready now; for the loop that waits for poll_descriptor().
  [[nodiscard]] std::span<const epoll_event> ready();
  [[nodiscard]] int poll_descriptor() const noexcept { return poller_.native_handle(); }
  void on_event(const epoll_event& event);
  void on_deadline(Channel::Handle handle);
  // Storage has room again: those that waited for it go on with the next go_on().
  void room_grew() noexcept { parked_.room_grew(); }
  // Handles what waited unread and need not wait any more.
  void go_on();
  // Somebody is left for a turn that has to come without an event.
  [[nodiscard]] bool next_turn_is_due() const noexcept { return parked_.next_turn_is_due(); }
  // One write for each connection that has something to send. False when that has given something
  // more to do in this turn: the connection of a will was lost, or one has caught up and goes on.
  [[nodiscard]] bool flush();
  // Forgets the connections that were closed, and lets handshakes go on that were left for the next
  // turn. Last in a turn.
  void erase_closed();

  // --- The end

  // Nothing is read any more; who has not sent CONNECT goes.
  void stop_reading();
  // Tells every client, and lets it close.
  void disconnect_all(mqtt::ReasonCode reason);
  void drop_all();

  [[nodiscard]] std::size_t size() const noexcept { return clients_.size(); }
  [[nodiscard]] bool is_connected(Channel::Handle handle) const {
    return clients_.find(handle) != nullptr;
  }
  [[nodiscard]] std::int64_t parked_bytes() const noexcept { return parked_.bytes(); }

  // ClientEffects
  [[nodiscard]] std::string& output(Channel& channel) override;
  [[nodiscard]] std::size_t unsent_bytes(const Channel& channel) const override;
  void keep_output(Channel& channel) override;
  void release_output(Channel& channel) override;
  void wait_for_room(Channel& channel) override;
  void close(Channel& channel) override;
  void drop(Channel& channel) override;
  void hand_over(Channel& channel, std::uint32_t shard) override;
  [[nodiscard]] std::string peer(const Channel& channel) const override;

 private:
  using Will = SessionLifecycle::Will;

  [[nodiscard]] Client& client_of(const Channel& channel) const {
    return clients_.at_slot(static_cast<std::uint32_t>(channel.handle));
  }
  Client& add(Connection connection);
  [[nodiscard]] std::size_t readable_bytes(const Client& client) const;
  void read(Client& client);
  void handle(Client& client, std::string_view bytes);
  void go_on_with_more(const Client& client);
  void after_read(Client& client);
  void on_transport_ended(Client& client);
  void defer(Client& client);
  void watch_deferred();
  void resume(Client& client);
  void hold_if_output_is_full(Client& client);
  void mark_to_flush(Client& client);
  void flush(Client& client);
  void watch(Client& client);
  void lose(Client& client, Will will);

  // Of listeners in the poller, from here down; no connection has such a handle.
  static constexpr std::uint64_t kLastListenerTag = ~std::uint64_t{0};

  const Options& options_;
  Counters& counters_;
  const TurnTime& time_;
  Deadlines& deadlines_;
  ConnectionCount& open_connections_;  // of all shards
  PacketHandler& sessions_;
  const ShardEffects& shard_;
  ShardPeers& peers_;  // for connections whose client lives on another shard

  Poller poller_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  ReadBuffer read_buffer_;
  BufferPool buffers_;
  SlotMap<Client> clients_;
  ParkedClients parked_;
  std::vector<Channel::Handle> to_flush_;
  std::vector<Channel::Handle> resumed_;  // have unread input, and need not wait any more
  std::vector<Channel::Handle> closed_;
  int handshake_steps_ = 0;               // in this turn
  std::deque<Channel::Handle> deferred_;  // whose handshake is left for the next ones
  bool stopping_ = false;
  bool reading_ = true;
};

}  // namespace hub::broker
