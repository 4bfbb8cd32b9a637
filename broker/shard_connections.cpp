// Sockets and bytes: accepting, reading, writing, closing.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "broker/mqtt/disconnect_codec.h"
#include "broker/shard.h"

namespace hub::broker {
namespace {

// A client that has as much of its output unread is not read from until it catches up.
constexpr std::size_t kOutputHighWater = 512 * 1024;
// A partial packet of this size is received in place; below, it is copied to the shared buffer.
constexpr std::size_t kReceiveInPlaceBytes = 64 * 1024;
constexpr int kAcceptsPerTurn = 64;

log::Throttle client_trouble;

// Takes bytes from the socket that were only looked at so far.
void take_peeked(int socket, std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t n = ::recv(socket, nullptr, bytes, MSG_TRUNC);  // tcp(7)
    if (n <= 0) return;
    bytes -= static_cast<std::size_t>(n);
  }
}

}  // namespace

void Shard::accept() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    FileDescriptor socket{
        ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (!socket) {
      if (errno == EMFILE || errno == ENFILE) {
        ++counters_.connections_refused;
        log::line(client_trouble, log::Level::error,
                  "no file descriptor for a new connection: raise the limit (ulimit -n)");
      }
      return;
    }
    ++counters_.connections_accepted;
    if (!open_connections_.try_add()) {
      ++counters_.connections_refused;
      continue;
    }
    adopt_socket(std::move(socket), {});
  }
}

void Shard::adopt(HandOver hand_over) {
  assert_home();
  if (stopping_) {
    open_connections_.remove();
    return;
  }
  begin_turn();
  adopt_socket(std::move(hand_over.socket), hand_over.received);
  finish_turn();
}

void Shard::adopt_socket(FileDescriptor socket, std::string_view received) {
  const auto [handle, connection] = connections_.emplace(std::move(socket));
  connection->armed_events = EPOLLIN;
  poller_.add(connection->socket.get(), EPOLLIN, handle);
  connection->deadline = now_ + options_.connect_timeout;
  connection->last_received = now_;
  deadlines_.add(connection->deadline, Deadlines::Kind::connection, handle);
  if (!received.empty()) {
    // Its own copy: with a large CONNECT it is more than the shard's buffer holds.
    std::string padded{received};
    padded.resize(received.size() + kPayloadPadding);
    const std::size_t used = handle_input(handle, *connection, {padded.data(), received.size()});
    keep_partial(*connection, received.substr(used));
    count_parked(*connection);
  }
}

void Shard::read(Connection::Handle handle, Connection& connection) {
  std::string* partial = connection.partial.get();
  char* buffer = read_buffer_.get();
  std::size_t have = 0;
  std::size_t room = kReadBufferBytes;
  // What has to wait for storage is left in the socket.
  const bool peek = may_have_to_wait(connection);
  if (partial != nullptr) {
    have = partial->size();
    if (have >= kReceiveInPlaceBytes) {
      room = kReceiveInPlaceBytes;
      partial->resize(have + room + kPayloadPadding);
      buffer = partial->data();
    } else {
      room -= std::min(have, room / 2);
      std::memcpy(buffer, partial->data(), have);
    }
  }
  const ssize_t n = ::recv(connection.socket.get(), buffer + have, room, peek ? MSG_PEEK : 0);
  if (n <= 0) {
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
      if (partial != nullptr) partial->resize(have);
      return;
    }
    drop(handle, connection, Will::publish);
    return;
  }
  if (connection.stage == Connection::Stage::closing) return;  // read on until it closes
  connection.last_received = now_;
  const std::size_t total = have + static_cast<std::size_t>(n);
  const std::size_t used = handle_input(handle, connection, {buffer, total});
  if (connection.stage == Connection::Stage::closing ||
      connection.stage == Connection::Stage::closed) {
    connection.partial.reset();
    return;
  }
  std::size_t taken = total;
  if (peek) {
    if (connection.parked) taken = std::max(have, used);
    take_peeked(connection.socket.get(), taken - have);
  }
  if (buffer != read_buffer_.get()) {
    partial->erase(0, used);
    partial->resize(taken - used);
    if (partial->empty()) connection.partial.reset();
  } else {
    keep_partial(connection, {buffer + used, taken - used});
  }
  count_parked(connection);
  if (connection.unsent_bytes() > kOutputHighWater) {
    flush(handle, connection);
    if (connection.stage == Connection::Stage::open &&
        connection.unsent_bytes() > kOutputHighWater) {
      connection.output_full = true;
      watch(handle, connection);
    }
  }
}

void Shard::keep_partial(Connection& connection, std::string_view rest) {
  if (rest.empty() || connection.stage == Connection::Stage::closed) {
    connection.partial.reset();
  } else if (connection.partial) {
    connection.partial->assign(rest);
  } else {
    connection.partial = std::make_unique<std::string>(rest);
  }
}

// Returns how many bytes were used up: the rest is an incomplete packet, or one that has to wait.
std::size_t Shard::handle_input(Connection::Handle handle, Connection& connection,
                                std::string_view bytes) {
  std::size_t at = 0;
  while (connection.stage == Connection::Stage::awaiting_connect ||
         connection.stage == Connection::Stage::open) {
    const std::string_view rest = bytes.substr(at);
    const mqtt::FrameHeader frame =
        mqtt::peek_frame(rest, options_.max_packet_bytes, connection.version);
    if (frame.state == mqtt::FrameState::need_more) return at;
    if (frame.state != mqtt::FrameState::complete) {
      fail(handle, connection, frame.error().reason, frame.error().what);
      return bytes.size();
    }
    const std::string_view body = rest.substr(frame.header_bytes, frame.body_bytes);
    if (connection.stage == Connection::Stage::awaiting_connect &&
        frame.type == mqtt::PacketType::connect) {
      // The whole rest goes along if the client belongs to another shard.
      connect_input_ = rest;
    }
    switch (handle_packet(handle, connection, frame, body)) {
      case Progress::next:
        at += frame.packet_bytes();
        break;
      case Progress::wait:
        return at + frame.packet_bytes();
      case Progress::park:
        return at;
      case Progress::stop:
        return bytes.size();
    }
  }
  return bytes.size();
}

Shard::Progress Shard::handle_packet(Connection::Handle handle, Connection& connection,
                                     const mqtt::FrameHeader& frame, std::string_view body) {
  using mqtt::PacketType;
  using mqtt::ReasonCode;
  ++counters_.packets_received;
  if (connection.stage == Connection::Stage::awaiting_connect) {
    if (frame.type == PacketType::connect) return handle_connect(handle, connection, body);
    ++counters_.protocol_errors;
    drop(handle, connection, Will::discard);  // [MQTT-3.1.0-1]
    return Progress::stop;
  }
  switch (frame.type) {
    case PacketType::publish:
      return handle_publish(handle, connection, frame, body);
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubrel:
    case PacketType::pubcomp:
      handle_ack(handle, connection, frame.type, body);
      break;
    case PacketType::subscribe:
      handle_subscribe(handle, connection, body);
      break;
    case PacketType::unsubscribe:
      handle_unsubscribe(handle, connection, body);
      break;
    case PacketType::pingreq:
      if (const auto ping = mqtt::decode_pingreq(body); !ping) {
        fail(handle, connection, ping.error().reason, ping.error().what);
        break;
      }
      mqtt::append_pingresp(connection.out(buffers_));
      mark_dirty(handle, connection);
      break;
    case PacketType::disconnect:
      handle_disconnect(handle, connection, body);
      break;
    case PacketType::connect:
      fail(handle, connection, ReasonCode::protocol_error, "a second CONNECT [MQTT-3.1.0-2]");
      break;
    case PacketType::auth:
      // CONNECT named no authentication method, so there is nothing to go on with.
      fail(handle, connection, ReasonCode::protocol_error, "AUTH without a method (section 4.12)");
      break;
    case PacketType::connack:
    case PacketType::suback:
    case PacketType::unsuback:
    case PacketType::pingresp:
      fail(handle, connection, ReasonCode::protocol_error, "a packet that only a server sends");
      break;
  }
  return connection.stage == Connection::Stage::open ? Progress::next : Progress::stop;
}

void Shard::mark_dirty(Connection::Handle handle, Connection& connection) {
  if (connection.dirty) return;
  connection.dirty = true;
  dirty_.push_back(handle);
}

void Shard::flush(Connection::Handle handle, Connection& connection) {
  if (connection.stage == Connection::Stage::closed || connection.output_held) return;
  switch (connection.flush(buffers_)) {
    case Connection::Flush::failed:
      drop(handle, connection, Will::publish);
      return;
    case Connection::Flush::socket_full:
      watch(handle, connection);
      return;
    case Connection::Flush::all_sent:
      break;
  }
  if (connection.stage == Connection::Stage::closing) {
    ::shutdown(connection.socket.get(), SHUT_WR);
  } else if (Session* session = sessions_.find(connection.session);
             session != nullptr && session->outbound && session->outbound->waiting()) {
    send_waiting(handle, connection, *session);
  }
  if (connection.output_full && connection.stage == Connection::Stage::open) {
    connection.output_full = false;
    resumed_.push_back(handle);
  }
  watch(handle, connection);
}

// Tells the poller what this connection waits for, when that has changed.
void Shard::watch(Connection::Handle handle, Connection& connection) {
  std::uint32_t events = 0;
  const bool held = connection.parked || connection.output_full || connection.output_held ||
                    (stopping_ && !told_clients_);
  if (!held) events |= EPOLLIN;
  if (connection.unsent_bytes() > 0 && !connection.output_held) events |= EPOLLOUT;
  if (events == connection.armed_events) return;
  connection.armed_events = events;
  poller_.modify(connection.socket.get(), events, handle);
}

// Goes on with a connection that was parked, or whose client has caught up with its output.
void Shard::resume(Connection::Handle handle) {
  Connection* connection = connections_.find(handle);
  if (connection == nullptr || connection->stage != Connection::Stage::open) return;
  unpark(*connection);
  connection->last_received = now_;  // its silence was ours
  if (connection->partial) {
    const std::unique_ptr<std::string> waiting = std::move(connection->partial);
    const std::size_t bytes = waiting->size();
    waiting->resize(bytes + kPayloadPadding);
    const std::size_t used = handle_input(handle, *connection, {waiting->data(), bytes});
    keep_partial(*connection, std::string_view{*waiting}.substr(used, bytes - used));
    count_parked(*connection);
  }
  if (connection->stage == Connection::Stage::open) watch(handle, *connection);
}

void Shard::fail(Connection::Handle handle, Connection& connection, mqtt::ReasonCode reason,
                 std::string_view what) {
  ++(reason == mqtt::ReasonCode::malformed_packet ? counters_.malformed_packets
                                                  : counters_.protocol_errors);
  const Session* session = sessions_.find(connection.session);
  log::line(client_trouble, log::Level::info, "closing {} (client id \"{}\"): {}: {}",
            connection.peer(), session != nullptr ? session->client_id : "", mqtt::name(reason),
            what);
  if (connection.stage == Connection::Stage::awaiting_connect) {
    drop(handle, connection, Will::discard);
    return;
  }
  mqtt::append_disconnect(connection.out(buffers_), connection.version, reason,
                          connection.problem_information ? what : std::string_view{});
  detach_session(connection, Will::publish);
  start_closing(handle, connection);
}

void Shard::release_output(Connection::Handle handle, Connection& connection) {
  connection.output_held = false;
  mark_dirty(handle, connection);
  resumed_.push_back(handle);
}

void Shard::start_closing(Connection::Handle handle, Connection& connection) {
  connection.stage = Connection::Stage::closing;
  unpark(connection);
  connection.output_full = false;
  connection.output_held = false;
  connection.deadline = now_ + options_.linger;
  deadlines_.add(connection.deadline, Deadlines::Kind::connection, handle);
  mark_dirty(handle, connection);
}

void Shard::detach_session(Connection& connection, Will will) {
  Session* session = sessions_.find(std::exchange(connection.session, 0));
  if (session == nullptr) return;
  session->connection_lost();
  if (will == Will::discard) session->will.reset();
  client_is_away(*session);
}

void Shard::drop(Connection::Handle handle, Connection& connection, Will will) {
  if (connection.stage == Connection::Stage::closed) return;
  connection.socket.reset();  // which also takes it from the poller
  connection.stage = Connection::Stage::closed;
  unpark(connection);
  ++counters_.connections_closed;
  open_connections_.remove();
  closed_.push_back(handle);
  detach_session(connection, will);
}

// Of the stage that the connection is in now: what an earlier stage asked for is void.
void Shard::connection_deadline(Connection::Handle handle, Connection& connection) {
  if (connection.stage == Connection::Stage::closed) return;
  if (connection.stage != Connection::Stage::open) {
    if (now_ >= connection.deadline) drop(handle, connection, Will::discard);
    return;
  }
  if (connection.keep_alive_seconds == 0) return;
  // One and a half times the keep-alive [MQTT-3.1.2-22]. A connection that we do not read from is
  // not silent by its own fault.
  const auto limit = std::chrono::milliseconds(1'500) * connection.keep_alive_seconds;
  if (connection.parked || connection.output_full || connection.output_held) {
    connection.last_received = now_;
  }
  const SteadyTime due = connection.last_received + limit;
  if (now_ < due) {
    deadlines_.add(due, Deadlines::Kind::connection, handle);
    return;
  }
  ++counters_.keep_alive_timeouts;
  mqtt::append_disconnect(connection.out(buffers_), connection.version,
                          mqtt::ReasonCode::keep_alive_timeout);
  detach_session(connection, Will::publish);
  start_closing(handle, connection);
}

}  // namespace hub::broker
