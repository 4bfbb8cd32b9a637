#include "bench/load/engine.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <system_error>
#include <utility>

namespace hub::bench {
namespace asio = boost::asio;
namespace {

// Rounds of ready sockets before Asio gets a turn for its timers.
constexpr int kRoundsPerTurn = 16;
constexpr std::int64_t kLeaveSeconds = 1;

std::string error_text(int error) { return std::generic_category().message(error); }

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

Engine::Engine(const Target& target, std::uint32_t clients, Driver& driver)
    : target_(target), driver_(driver), poller_(context_), second_(context_) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) fail("epoll_create1");
  poller_.assign(epoll);
  for (std::uint32_t index = 0; index < clients; ++index) clients_.emplace_back().index = index;
}

Engine::~Engine() {
  for (Client& client : clients_) close(client);
}

void Engine::open_all(std::function<void()> on_all_ready) {
  on_all_ready_ = std::move(on_all_ready);
  asio::ip::tcp::resolver resolver{context_};
  endpoint_ = *resolver.resolve(target_.host, std::to_string(target_.port)).begin();
  wait();
  keep_alive();
  if (clients_.empty()) {
    announced_ = true;
    asio::post(context_, on_all_ready_);
  }
  for (std::uint32_t started = 0; started < target_.connecting; ++started) open_next();
}

void Engine::open_next() {
  if (opened_ < clients_.size()) open(clients_[opened_++]);
}

int Engine::new_socket() {
  const int family = endpoint_.address().is_v6() ? AF_INET6 : AF_INET;
  const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) fail("socket");
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

void Engine::open(Client& client) {
  client.fd = new_socket();
  client.state = Client::State::connecting;
  client.opened_ns = now_ns();
  client.pings_sent = client.pings_answered = 0;
  if (connect(client.fd, endpoint_.data(), static_cast<socklen_t>(endpoint_.size())) != 0 &&
      errno != EINPROGRESS) {
    lose(client, fmt::format("cannot connect: {}", error_text(errno)));
    return;
  }
  // Over the loopback the connection stands by now, and two system calls are saved.
  const std::string packet = connect_packet(client);
  const ssize_t sent = ::send(client.fd, packet.data(), packet.size(), MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(packet.size())) {
    client.state = Client::State::handshaking;
    watch(client, EPOLL_CTL_ADD, EPOLLIN);
  } else if (sent < 0 && errno != EAGAIN) {
    lose(client, fmt::format("cannot connect: {}", error_text(errno)));
  } else {
    watch(client, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
  }
}

std::string Engine::connect_packet(const Client& client) const {
  const ClientPlan plan = driver_.plan(client.index);
  std::string packet;
  append_connect(packet, {.version = target_.version,
                          .client_id = plan.client_id,
                          .username = target_.username,
                          .password = target_.password,
                          .keep_alive_seconds = target_.keep_alive_seconds,
                          .clean_start = target_.clean_start,
                          .session_expiry_seconds = target_.session_expiry_seconds});
  return packet;
}

void Engine::watch(Client& client, int operation, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &client;
  if (epoll_ctl(poller_.native_handle(), operation, client.fd, &event) != 0) fail("epoll_ctl");
}

void Engine::wait() {
  poller_.async_wait(asio::posix::stream_descriptor::wait_read,
                     [this](const boost::system::error_code& error) {
                       if (error) return;
                       turn();
                       if (poller_.is_open()) wait();
                     });
}

void Engine::turn() {
  for (int round = 0; round < kRoundsPerTurn && poller_.is_open(); ++round) {
    const int count =
        epoll_wait(poller_.native_handle(), events_.data(), static_cast<int>(events_.size()), 0);
    if (count <= 0) return;
    for (int index = 0; index < count; ++index) {
      const epoll_event& event = events_[static_cast<std::size_t>(index)];
      handle(*static_cast<Client*>(event.data.ptr), event.events);
    }
    driver_.on_round_done();
  }
}

void Engine::handle(Client& client, std::uint32_t events) {
  if (client.fd < 0) return;
  if (client.state == Client::State::connecting) {
    connected(client);
    return;
  }
  if ((events & EPOLLOUT) != 0) {
    if (!client.unsent.empty()) send(client);
    if (client.unsent.empty()) {
      watch(client, EPOLL_CTL_MOD, EPOLLIN);
      if (client.state == Client::State::ready) driver_.on_writable(client);
    }
  }
  if (client.fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read(client);
}

void Engine::call_when_writable(Client& client) {
  watch(client, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

void Engine::connected(Client& client) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(client.fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) {
    lose(client, fmt::format("cannot connect: {}", error_text(error)));
    return;
  }
  watch(client, EPOLL_CTL_MOD, EPOLLIN);
  client.state = Client::State::handshaking;
  output_.append(connect_packet(client));
  send(client);
}

void Engine::read(Client& client) {
  for (;;) {
    const std::size_t kept = client.partial.copy(input_.data(), client.partial.size());
    if (kept == input_.size()) {
      lose(client, "packet larger than the receive buffer");
      return;
    }
    const std::size_t room = input_.size() - kept;
    const ssize_t got = recv(client.fd, input_.data() + kept, room, 0);
    if (got <= 0) {
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (client.state == Client::State::leaving) {
        close(client);
        if (on_left_) on_left_(client);
      } else {
        lose(client, got == 0 ? "connection closed by the broker"
                              : fmt::format("connection lost: {}", error_text(errno)));
      }
      return;
    }
    const std::size_t bytes = kept + static_cast<std::size_t>(got);
    PacketScanner packets{{input_.data(), bytes}};
    if (client.state < Client::State::ready) handshake(client, packets);
    if (client.state == Client::State::ready) {
      driver_.on_packets(client, packets);
      if (output_.size_ > 0 && client.fd >= 0) send(client);
    }
    if (client.fd < 0) return;
    if (packets.malformed()) {
      lose(client, "malformed packet from the broker");
      return;
    }
    client.partial.assign(packets.rest());
    if (static_cast<std::size_t>(got) < room) return;
  }
}

void Engine::handshake(Client& client, PacketScanner& packets) {
  Packet packet;
  while (client.state < Client::State::ready && packets.next(packet)) {
    if (client.state == Client::State::handshaking && packet.type == PacketType::connack) {
      const auto connack = parse_connack(packet.body, target_.version);
      if (!connack || connack->reason != 0) {
        lose(client, connack ? fmt::format("connection refused by the broker: {}",
                                           reason_name(connack->reason))
                             : "malformed CONNACK");
        return;
      }
      client.connack = *connack;
      ++counters_.connected;
      counters_.granted_window = std::min(counters_.granted_window, connack->receive_maximum);
      const ClientPlan plan = driver_.plan(client.index);
      if (plan.filter.empty()) {
        ready(client);
        continue;
      }
      client.state = Client::State::subscribing;
      std::string subscribe;
      append_subscribe(subscribe, target_.version, 1, plan.filter, plan.qos);
      output_.append(subscribe);
      send(client);
    } else if (client.state == Client::State::subscribing && packet.type == PacketType::suback) {
      const auto reason = parse_suback(packet.body, target_.version);
      if (!reason || *reason >= 0x80) {
        lose(client,
             reason ? fmt::format("subscription refused by the broker: {}", reason_name(*reason))
                    : "malformed SUBACK");
        return;
      }
      ready(client);
    } else if (packet.type != PacketType::publish) {
      lose(client, "unexpected packet during connection set-up");
      return;
    }
  }
}

void Engine::ready(Client& client) {
  client.state = Client::State::ready;
  driver_.on_ready(client);
  ++ready_;
  open_next();
  if (!announced_ && ready_ == clients_.size()) {
    announced_ = true;
    on_all_ready_();
  }
}

void Engine::send(Client& client) {
  Output& out = output_;
  client.last_sent_second = seconds_;
  if (!client.unsent.empty()) {
    client.unsent.append(out.buffer_.data(), out.size_);
    out.size_ = 0;
    const ssize_t sent =
        ::send(client.fd, client.unsent.data(), client.unsent.size(), MSG_NOSIGNAL);
    if (sent > 0) client.unsent.erase(0, static_cast<std::size_t>(sent));
    return;
  }
  const ssize_t sent = ::send(client.fd, out.buffer_.data(), out.size_, MSG_NOSIGNAL);
  // A broken connection is noticed, and counted, where it is read.
  const std::size_t taken = sent > 0 ? static_cast<std::size_t>(sent) : 0;
  if (taken < out.size_ && (sent >= 0 || errno == EAGAIN)) {
    client.unsent.assign(out.buffer_.data() + taken, out.size_ - taken);
    watch(client, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  }
  out.size_ = 0;
}

void Engine::read_from(Client& client, int bytes) {
  if (client.fd >= 0) setsockopt(client.fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

void Engine::ping(Client& client) {
  ++client.pings_sent;
  output_.append(kPingRequest);
  send(client);
}

void Engine::leave(Client& client) {
  client.state = Client::State::leaving;
  output_.append(kDisconnect);
  send(client);
}

void Engine::close(Client& client) {
  if (client.fd >= 0) ::close(client.fd);
  client.fd = -1;
  client.state = Client::State::closed;
  client.partial.clear();
  client.unsent.clear();
}

void Engine::lose(Client& client, const std::string& why) {
  ++counters_.errors[why];
  close(client);
  output_.size_ = 0;
  driver_.on_lost(client);
}

void Engine::keep_alive() {
  const std::int64_t half = std::max<std::int64_t>(target_.keep_alive_seconds / 2, 1);
  for (Client& client : clients_) {
    if (client.state == Client::State::leaving &&
        seconds_ - client.last_sent_second > kLeaveSeconds) {
      close(client);
      if (on_left_) on_left_(client);
    } else if (client.state == Client::State::ready && target_.keep_alive_seconds > 0 &&
               client.index % half == seconds_ % half && seconds_ - client.last_sent_second > 0) {
      ping(client);
    }
  }
  for (Client* client : std::exchange(to_reopen_, {})) open(*client);
  driver_.on_round_done();
  ++seconds_;
  second_.expires_after(std::chrono::seconds{1});
  second_.async_wait([this](const boost::system::error_code& error) {
    if (!error) keep_alive();
  });
}

void Engine::stop() {
  second_.cancel();
  poller_.close();
}

}  // namespace hub::bench
