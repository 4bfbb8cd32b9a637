#include "broker/transport/listener.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace hub::broker {
namespace {

constexpr int kBacklog = 4'096;

[[noreturn]] void refuse(const boost::asio::ip::tcp::endpoint& endpoint, int error) {
  const char* advice = "";
  if (error == EADDRINUSE)
    advice = "; another program listens there: stop it, or choose another port";
  if (error == EACCES) advice = "; ports below 1024 need CAP_NET_BIND_SERVICE";
  if (error == EADDRNOTAVAIL) advice = "; no interface of this machine has that address";
  throw std::runtime_error(fmt::format("cannot listen on {}:{}: {}{}",
                                       endpoint.address().to_string(), endpoint.port(),
                                       std::strerror(error), advice));
}

FileDescriptor bind_socket(const boost::asio::ip::tcp::endpoint& endpoint, bool shared) {
  FileDescriptor socket{
      ::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!socket) refuse(endpoint, errno);
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // accepted ones inherit it
  if (shared) ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (::bind(socket.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0) {
    refuse(endpoint, errno);
  }
  return socket;
}

}  // namespace

Listeners listen_on(const std::string& address, std::uint16_t port, std::uint32_t count) {
  boost::system::error_code error;
  const auto ip = boost::asio::ip::make_address(address, error);
  if (error) throw std::runtime_error(fmt::format("\"{}\" is not an IP address", address));
  boost::asio::ip::tcp::endpoint endpoint{ip, port};
  {
    // Sockets that share a port share it with any process of the same user: this one, which does
    // not share, finds out whether another hub is there, and picks the port when it is 0.
    const FileDescriptor probe = bind_socket(endpoint, false);
    if (::listen(probe.get(), 1) != 0) refuse(endpoint, errno);
    auto length = static_cast<socklen_t>(endpoint.capacity());
    if (::getsockname(probe.get(), endpoint.data(), &length) != 0) refuse(endpoint, errno);
  }
  Listeners listeners;
  listeners.port = endpoint.port();
  for (std::uint32_t i = 0; i < count; ++i) {
    listeners.sockets.push_back(bind_socket(endpoint, count > 1));
    if (::listen(listeners.sockets.back().get(), kBacklog) != 0) refuse(endpoint, errno);
  }
  return listeners;
}

}  // namespace hub::broker
