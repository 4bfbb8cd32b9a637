#include "broker/clients.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace hub::broker {
namespace {

// A client that has as much of its output unread is not read from until it catches up.
constexpr std::size_t kOutputHighWater = 512 * 1024;

// Of handshakes in one turn, each some hundred microseconds of a shard's time (an RSA key) or less:
// the others come in the next ones, and whoever is connected waits no longer than this.
constexpr int kHandshakeStepsPerTurn = 4;

log::Throttle transport_trouble;

}  // namespace

Clients::Clients(const Options& options, Counters& counters, const TurnTime& time,
                 Deadlines& deadlines, ConnectionCount& open_connections, PacketHandler& sessions,
                 const ShardEffects& shard, ShardPeers& peers)
    : options_(options),
      counters_(counters),
      time_(time),
      deadlines_(deadlines),
      open_connections_(open_connections),
      sessions_(sessions),
      shard_(shard),
      peers_(peers),
      parked_(StorageShare{options.max_held_bytes}) {}

void Clients::listen(ListeningSocket listener) {
  acceptors_.push_back(std::make_unique<Acceptor>(std::move(listener), open_connections_));
  poller_.add(acceptors_.back()->descriptor(), EPOLLIN, kLastListenerTag - (acceptors_.size() - 1));
}

void Clients::stop_listening() {
  for (const auto& acceptor : acceptors_) poller_.remove(acceptor->descriptor());
  acceptors_.clear();
}

std::span<const epoll_event> Clients::ready() {
  handshake_steps_ = 0;
  return poller_.ready();
}

Client& Clients::add(Connection connection) {
  const auto [handle, client] = clients_.emplace(std::move(connection));
  client->channel.handle = handle;
  client->channel.last_received = time_.steady;
  (void)client->connection.set_watched(EPOLLIN);
  poller_.add(client->connection.transport().descriptor(), EPOLLIN, handle);
  client->deadline = time_.steady + options_.connect_timeout;
  deadlines_.add(client->deadline, Deadlines::Kind::connection, handle);
  return *client;
}

void Clients::adopt(Connection connection) {
  if (stopping_) {
    open_connections_.remove();
    return;
  }
  Client& client = add(std::move(connection));
  const Connection::Input input = client.connection.unread(read_buffer_);
  if (!input.bytes.empty()) handle(client, input.bytes);
  after_read(client);  // of what was read over there
}

void Clients::on_event(const epoll_event& event) {
  const Channel::Handle handle = event.data.u64;
  if (const std::uint64_t listener = kLastListenerTag - handle; listener < acceptors_.size()) {
    const auto result = acceptors_[listener]->accept(
        [this](Transport transport) { add(Connection{std::move(transport)}); });
    counters_.connections_accepted += result.accepted;
    counters_.connections_refused += result.refused;
    return;
  }
  Client* client = clients_.find(handle);
  if (client == nullptr || client->connection.state == Connection::State::closed) return;
  const bool broken = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
  if (broken && client->connection.is_held(Connection::Hold::storage)) {
    lose(*client, Will::publish);  // nothing that it sent could be answered
    return;
  }
  if (!broken && !client->connection.transport().is_established() &&
      ++handshake_steps_ > kHandshakeStepsPerTurn) {
    defer(*client);
    return;
  }
  if ((event.events & EPOLLOUT) != 0) mark_to_flush(*client);
  if (broken || (event.events & EPOLLIN) != 0) read(*client);
}

// What has to wait for storage is left with its sender as far as can be: where that may come, first
// as much is read as tells what a packet is, and then the rest of a packet that need not wait.
std::size_t Clients::readable_bytes(const Client& client) const {
  const std::int64_t room = shard_.room_bytes();
  if (!parked_.may_have_to_wait(client, room)) return ReadBuffer::kBytes;
  return sessions_.readable_bytes(client.channel, client.connection.unread_input(),
                                  ParkedClients::cautious_bytes(room));
}

void Clients::read(Client& client) {
  Connection& connection = client.connection;
  const std::size_t most = readable_bytes(client);
  if (most == 0) {
    wait_for_room(client.channel);
    parked_.count(client);
    return;
  }
  const Connection::Input input = connection.read(read_buffer_, most);
  if (input.result == Transport::Result::ended) {
    on_transport_ended(client);
    return;
  }
  if (connection.state == Connection::State::closing) {
    connection.drop_unread();  // read on until it closes, by nobody
  } else if (input.result == Transport::Result::done) {
    handle(client, input.bytes);
  }
  after_read(client);
}

// Filters answer by themselves, to a ping or a handshake, and whoever sends those may read nothing.
void Clients::after_read(Client& client) {
  Connection& connection = client.connection;
  if (connection.state == Connection::State::open) hold_if_output_is_full(client);
  if (connection.state == Connection::State::closing &&
      connection.unsent_bytes() > options_.max_outbound_bytes + kOutputHighWater) {
    lose(client, Will::publish);  // what it asks for outgrows what it was still to get
  }
  if (connection.state == Connection::State::closed) return;
  if (connection.transport().unsent_bytes() > 0) mark_to_flush(client);
  go_on_with_more(client);
}

// Whoever broke a rule gets to read what was answered: a descriptor that is closed with something
// unread takes that back.
void Clients::on_transport_ended(Client& client) {
  const Transport& transport = client.connection.transport();
  if (client.connection.state != Connection::State::open || transport.failure().empty()) {
    lose(client, Will::publish);
    return;
  }
  ++counters_.transports_failed;
  log::line(transport_trouble, log::Level::info, "closing {}: {}", transport.peer().to_string(),
            transport.failure());
  sessions_.on_connection_lost(client.channel, Will::publish);
  client.channel.stage = Channel::Stage::closing;
  close(client.channel);
}

// Its handshake goes on in one of the next turns: until then it is not watched, so that those that
// are connected stay in sight of the poller.
void Clients::defer(Client& client) {
  if (client.connection.set_watched(0)) {
    poller_.modify(client.connection.transport().descriptor(), 0, client.channel.handle);
  }
  deferred_.push_back(client.channel.handle);
}

void Clients::watch_deferred() {
  for (int i = 0; i < kHandshakeStepsPerTurn && !deferred_.empty(); ++i) {
    Client* const client = clients_.find(deferred_.front());
    deferred_.pop_front();
    if (client != nullptr && client->connection.state != Connection::State::closed) watch(*client);
  }
}

// What its transport has read already comes by no event.
void Clients::go_on_with_more(const Client& client) {
  const Connection& connection = client.connection;
  if (connection.state == Connection::State::open && !connection.is_held() &&
      connection.transport().has_more()) {
    resumed_.push_back(client.channel.handle);
  }
}

void Clients::handle(Client& client, std::string_view bytes) {
  const std::size_t used = sessions_.on_bytes(client.channel, bytes);
  if (client.connection.state != Connection::State::open) {
    client.connection.drop_unread();
    return;
  }
  client.connection.keep(bytes.substr(used));
  parked_.count(client);
}

void Clients::hold_if_output_is_full(Client& client) {
  Connection& connection = client.connection;
  if (connection.unsent_bytes() <= kOutputHighWater) return;
  flush(client);
  if (connection.state == Connection::State::open && connection.unsent_bytes() > kOutputHighWater) {
    connection.hold(Connection::Hold::output_full);
    watch(client);
  }
}

// Goes on with a connection that was parked, or whose client has caught up with its output.
void Clients::resume(Client& client) {
  Connection& connection = client.connection;
  if (connection.state != Connection::State::open) return;
  parked_.unpark(client);
  client.channel.last_received = time_.steady;  // its silence was ours
  const Connection::Input input = connection.unread(read_buffer_);
  if (!input.bytes.empty()) handle(client, input.bytes);
  if (connection.state != Connection::State::open) return;
  if (!connection.is_held() && connection.transport().has_more()) read(client);
  if (connection.state == Connection::State::open) watch(client);
}

void Clients::go_on() {
  parked_.take_resumable(clients_, shard_.room_bytes(), resumed_);
  for (const Channel::Handle handle : std::exchange(resumed_, {})) {
    if (Client* client = clients_.find(handle)) resume(*client);
  }
}

void Clients::mark_to_flush(Client& client) {
  if (client.connection.to_flush) return;
  client.connection.to_flush = true;
  to_flush_.push_back(client.channel.handle);
}

bool Clients::flush() {
  const std::size_t gone = closed_.size();
  // By index: flushing lets queued deliveries go, which marks connections anew.
  for (std::size_t i = 0; i < to_flush_.size(); ++i) {
    Client* client = clients_.find(to_flush_[i]);
    if (client == nullptr) continue;
    client->connection.to_flush = false;
    flush(*client);
  }
  to_flush_.clear();
  return resumed_.empty() && closed_.size() == gone;
}

void Clients::flush(Client& client) {
  Connection& connection = client.connection;
  if (connection.state == Connection::State::closed ||
      connection.is_held(Connection::Hold::output_kept)) {
    return;
  }
  switch (connection.flush(buffers_)) {
    case Connection::Flush::failed:
      lose(client, Will::publish);
      return;
    case Connection::Flush::transport_full:
      watch(client);
      return;
    case Connection::Flush::all_sent:
      break;
  }
  if (connection.state == Connection::State::closing) {
    connection.transport().end_writing();
  } else {
    sessions_.on_output_sent(client.channel);
    if (connection.is_held(Connection::Hold::output_full)) {
      connection.release(Connection::Hold::output_full);
      resumed_.push_back(client.channel.handle);
    }
  }
  watch(client);
}

// Tells the poller what this connection waits for, when that has changed.
void Clients::watch(Client& client) {
  Connection& connection = client.connection;
  std::uint32_t events = 0;
  if (reading_ && !connection.is_held()) events |= EPOLLIN;
  if (connection.unsent_bytes() > 0 && !connection.is_held(Connection::Hold::output_kept)) {
    events |= EPOLLOUT;
  }
  if (connection.set_watched(events)) {
    poller_.modify(connection.transport().descriptor(), events, client.channel.handle);
  }
}

void Clients::erase_closed() {
  watch_deferred();
  for (const Channel::Handle handle : closed_) clients_.erase(handle);
  closed_.clear();
}

void Clients::lose(Client& client, Will will) {
  if (client.connection.state == Connection::State::closed) return;
  drop(client.channel);
  sessions_.on_connection_lost(client.channel, will);
}

// Of the stage that the connection is in now: what an earlier stage asked for is void.
void Clients::on_deadline(Channel::Handle handle) {
  Client* client = clients_.find(handle);
  if (client == nullptr || client->connection.state == Connection::State::closed) return;
  if (client->channel.stage == Channel::Stage::open) {
    sessions_.on_keep_alive(client->channel, !client->connection.is_held());
  } else if (time_.steady >= client->deadline) {
    lose(*client, Will::discard);
  }
}

void Clients::stop_reading() {
  stopping_ = true;
  reading_ = false;
  clients_.for_each([this](Channel::Handle, Client& client) {
    if (client.channel.stage == Channel::Stage::awaiting_connect) {
      lose(client, Will::discard);
    } else {
      watch(client);
    }
  });
}

void Clients::disconnect_all(mqtt::ReasonCode reason) {
  reading_ = true;  // until they close
  clients_.for_each([&](Channel::Handle, Client& client) {
    if (client.channel.stage != Channel::Stage::open) return;
    sessions_.disconnect(client.channel, reason);
    flush(client);
  });
}

void Clients::drop_all() {
  clients_.for_each([this](Channel::Handle, Client& client) { lose(client, Will::discard); });
}

std::string& Clients::output(Channel& channel) {
  Client& client = client_of(channel);
  mark_to_flush(client);
  return client.connection.out(buffers_);
}

std::size_t Clients::unsent_bytes(const Channel& channel) const {
  return client_of(channel).connection.unsent_bytes();
}

void Clients::keep_output(Channel& channel) {
  Client& client = client_of(channel);
  client.connection.hold(Connection::Hold::output_kept);
  watch(client);
}

void Clients::release_output(Channel& channel) {
  Client& client = client_of(channel);
  client.connection.release(Connection::Hold::output_kept);
  mark_to_flush(client);
  resumed_.push_back(channel.handle);
}

void Clients::wait_for_room(Channel& channel) {
  Client& client = client_of(channel);
  ++counters_.publishers_stopped;
  parked_.park(client);
  watch(client);
}

void Clients::close(Channel& channel) {
  Client& client = client_of(channel);
  client.connection.state = Connection::State::closing;
  parked_.unpark(client);
  client.connection.release_all();
  client.deadline = time_.steady + options_.linger;
  deadlines_.add(client.deadline, Deadlines::Kind::connection, channel.handle);
  mark_to_flush(client);
}

void Clients::drop(Channel& channel) {
  Client& client = client_of(channel);
  parked_.unpark(client);
  client.connection.transport().close();  // which also takes it from the poller
  client.connection.state = Connection::State::closed;
  channel.stage = Channel::Stage::closing;
  ++counters_.connections_closed;
  open_connections_.remove();
  closed_.push_back(channel.handle);
}

void Clients::hand_over(Channel& channel, std::uint32_t shard) {
  Client& client = client_of(channel);
  poller_.remove(client.connection.transport().descriptor());
  Connection connection{std::move(client.connection.transport())};
  connection.keep(sessions_.input_from_packet());
  client.connection.state = Connection::State::closed;
  channel.stage = Channel::Stage::closing;
  closed_.push_back(channel.handle);
  peers_.hand_over(shard, std::move(connection));
}

std::string Clients::peer(const Channel& channel) const {
  return client_of(channel).connection.transport().peer().to_string();
}

}  // namespace hub::broker
