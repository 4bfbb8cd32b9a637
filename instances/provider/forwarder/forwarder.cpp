#include "instances/provider/forwarder/forwarder.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace hub::instances {
namespace {

using Clock = std::chrono::steady_clock;

void set_option(int socket, int level, int option, int value = 1) {
  ::setsockopt(socket, level, option, &value, sizeof value);
}

// Small packets go at once, and a peer that vanished is noticed within two minutes: it may never
// have been asked anything that would show it.
void tune(int socket) {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY);
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

bool would_block() { return errno == EAGAIN || errno == EINTR; }

Ipv4 address_of(const sockaddr_in& address) { return {ntohl(address.sin_addr.s_addr)}; }

// The client's port as well as its address, when it is free: a log line then names its connection.
bool bind_as(int socket, Ipv4 name, std::uint16_t port) {
  set_option(socket, IPPROTO_IP, IP_TRANSPARENT);
  set_option(socket, SOL_SOCKET, SO_REUSEADDR);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(name.bits);
  address.sin_port = htons(port);
  if (port != 0 && ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return true;
  address.sin_port = 0;
  set_option(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
  return ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

Forwarder::Forwarder(const ForwarderOptions& options, int listener)
    : options_(options),
      listener_(listener),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      buffer_(kReadBytes) {
  if (!epoll_) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  listen(true);
}

void Forwarder::run() {
  std::array<epoll_event, 256> events;
  for (;;) {
    const bool has_deadline = !listening_ || !connecting_.empty();
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), events.size(), has_deadline ? 1000 : -1);
    for (int i = 0; i < count; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      if (event.data.ptr == nullptr) {
        accept_clients();
      } else {
        auto& side = *static_cast<Side*>(event.data.ptr);
        if (!side.connection->closed) handle(side, event.events);
      }
    }
    closed_.clear();
    end_slow_connects();
    if (count == 0 && !listening_) listen(true);
  }
}

void Forwarder::accept_clients() {
  for (int accepted = 0; accepted < 64; ++accepted) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    FileDescriptor client(::accept4(listener_, reinterpret_cast<sockaddr*>(&address), &size,
                                    SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client) {
      open_connection(std::move(client), address);
      continue;
    }
    // Out of descriptors or memory: clients wait in the listener's queue for a while.
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) listen(false);
    return;
  }
}

void Forwarder::open_connection(FileDescriptor client, const sockaddr_in& address) {
  tune(client.get());
  auto target = connect_to_target(address);
  auto owned = std::make_unique<ForwardedConnection>(std::move(client), std::move(target));
  auto& connection = *owned;
  connections_.emplace(&connection, std::move(owned));
  connection.place = connecting_.insert(connecting_.end(), &connection);
  if (!connection.target.socket) return reset(connection);
  for (auto* side : {&connection.client, &connection.target}) {
    epoll_event event{};
    event.data.ptr = side;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, side->socket.get(), &event);
    watch(*side);
  }
}

FileDescriptor Forwarder::connect_to_target(const sockaddr_in& client) {
  FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return {};
  if (options_.transparent) {
    const auto own = address_of(client);
    const auto name = names_.name_of(own);
    if (!bind_as(socket.get(), name, name == own ? ntohs(client.sin_port) : 0)) return {};
  }
  tune(socket.get());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&options_.target),
                sizeof options_.target) != 0 &&
      errno != EINPROGRESS)
    return {};
  return socket;
}

void Forwarder::handle(Side& side, std::uint32_t events) {
  auto& connection = *side.connection;
  if (connection.connecting) {
    if (&side == &connection.target) {
      if (!finish_connect(side)) return reset(connection);
    } else if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
      return reset(connection);
    }
    return;
  }
  if ((events & EPOLLERR) != 0) return reset(connection);
  if ((events & EPOLLOUT) != 0 && !write_to(side)) return reset(connection);
  if ((events & (EPOLLIN | EPOLLHUP)) != 0 && !side.input_ended && side.other->unsent.empty() &&
      !read_from(side))
    return reset(connection);
  if (connection.is_finished()) return close(connection);
  watch(side);
  watch(*side.other);
}

bool Forwarder::finish_connect(Side& target) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(target.socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return false;
  target.connection->connecting = false;
  connecting_.erase(target.connection->place);
  watch(target);
  watch(*target.other);
  return true;
}

bool Forwarder::read_from(Side& side) {
  const auto count = ::recv(side.socket.get(), buffer_.data(), buffer_.size(), 0);
  if (count < 0) return would_block();
  if (count == 0) {
    side.input_ended = true;
    pass_on_end(side);
    return true;
  }
  const auto size = static_cast<std::size_t>(count);
  const auto sent = ::send(side.other->socket.get(), buffer_.data(), size, MSG_NOSIGNAL);
  if (sent < 0 && !would_block()) return false;
  const auto taken = static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
  side.other->unsent.assign(buffer_.data() + taken, size - taken);
  return true;
}

bool Forwarder::write_to(Side& side) {
  if (side.unsent.empty()) return true;
  const auto sent = ::send(side.socket.get(), side.unsent.data(), side.unsent.size(), MSG_NOSIGNAL);
  if (sent < 0) return would_block();
  side.unsent.erase(0, static_cast<std::size_t>(sent));
  if (!side.unsent.empty()) return true;
  std::string().swap(side.unsent);  // an idle connection holds no buffer
  pass_on_end(*side.other);
  return true;
}

void Forwarder::pass_on_end(Side& from) {
  if (from.input_ended && from.other->unsent.empty()) ::shutdown(from.other->socket.get(), SHUT_WR);
}

void Forwarder::watch(Side& side) {
  std::uint32_t events = 0;
  if (side.connection->connecting) {
    if (&side == &side.connection->target) events = EPOLLOUT;
  } else {
    if (!side.input_ended && side.other->unsent.empty()) events |= EPOLLIN;
    if (!side.unsent.empty()) events |= EPOLLOUT;
  }
  if (events == side.events) return;
  side.events = events;
  epoll_event event{};
  event.events = events;
  event.data.ptr = &side;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, side.socket.get(), &event);
}

void Forwarder::reset(ForwardedConnection& connection) {
  const linger at_once{1, 0};
  for (const auto* side : {&connection.client, &connection.target})
    if (side->socket)
      ::setsockopt(side->socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(connection);
}

void Forwarder::close(ForwardedConnection& connection) {
  connection.closed = true;
  connection.client.socket = {};
  connection.target.socket = {};
  if (connection.connecting) connecting_.erase(connection.place);
  const auto found = connections_.find(&connection);
  closed_.push_back(std::move(found->second));
  connections_.erase(found);
  if (!listening_) listen(true);
}

void Forwarder::end_slow_connects() {
  const auto limit = Clock::now() - kConnectLimit;
  while (!connecting_.empty() && connecting_.front()->opened <= limit) reset(*connecting_.front());
}

void Forwarder::listen(bool on) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLEXCLUSIVE;
  ::epoll_ctl(epoll_.get(), on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listener_, &event);
  listening_ = on;
}

}  // namespace hub::instances
