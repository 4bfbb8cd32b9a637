#include "broker/transport/listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

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

void listen_on_tcp(const ListenerOptions& options, std::uint32_t count, Listener& listener) {
  boost::system::error_code error;
  const auto ip = boost::asio::ip::make_address(options.address, error);
  if (error) throw std::runtime_error(fmt::format("\"{}\" is not an IP address", options.address));
  boost::asio::ip::tcp::endpoint endpoint{ip, options.port};
  {
    // Sockets that share a port share it with any process of the same user: this one, which does
    // not share, finds out whether another hub is there, and picks the port when it is 0.
    const FileDescriptor probe = bind_socket(endpoint, false);
    if (::listen(probe.get(), 1) != 0) refuse(endpoint, errno);
    auto length = static_cast<socklen_t>(endpoint.capacity());
    if (::getsockname(probe.get(), endpoint.data(), &length) != 0) refuse(endpoint, errno);
  }
  listener.port = endpoint.port();
  for (std::uint32_t i = 0; i < count; ++i) {
    listener.sockets.push_back(bind_socket(endpoint, count > 1));
    if (::listen(listener.sockets.back().get(), kBacklog) != 0) refuse(endpoint, errno);
  }
}

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& why) {
  throw std::runtime_error(fmt::format("cannot listen on {}: {}", path.string(), why));
}

[[noreturn]] void refuse(const std::filesystem::path& path, int error) {
  refuse(path, std::strerror(error));
}

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path) {
    refuse(path, fmt::format("the path is longer than {} bytes", sizeof address.sun_path - 1));
  }
  path.native().copy(address.sun_path, path.native().size());
  return address;
}

// A socket that its hub has left behind refuses whoever connects.
void remove_if_left_behind(const std::filesystem::path& path, const sockaddr_un& address) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return;
  if (!S_ISSOCK(status.st_mode)) refuse(path, "there is a file that is no socket");
  const FileDescriptor probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!probe) refuse(path, errno);
  const auto connect = [&] {
    return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  };
  int connected = connect();
  // One that was killed before the mode was set, or whose mode is not for its owner.
  if (connected != 0 && errno == EACCES && status.st_uid == ::geteuid() &&
      ::chmod(path.c_str(), 0600) == 0) {
    connected = connect();
  }
  if (connected == 0 || errno == EAGAIN) refuse(path, "another program listens there");
  if (errno != ECONNREFUSED) refuse(path, errno);
  ::unlink(path.c_str());
}

void listen_on_unix(const ListenerOptions& options, std::uint32_t count, Listener& listener) {
  const std::filesystem::path& path = options.unix_socket;
  const sockaddr_un address = address_of(path);
  remove_if_left_behind(path, address);
  FileDescriptor socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  // Nobody may connect before the mode is as it was asked for.
  if (!socket || ::fchmod(socket.get(), 0) != 0 ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(path.c_str(), static_cast<mode_t>(options.unix_mode)) != 0 ||
      ::listen(socket.get(), kBacklog) != 0) {
    refuse(path, errno);
  }
  for (std::uint32_t i = 1; i < count; ++i) {
    listener.sockets.emplace_back(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
    if (!listener.sockets.back()) refuse(path, errno);
  }
  listener.sockets.push_back(std::move(socket));
}

}  // namespace

Listener listen_on(const ListenerOptions& options, std::uint32_t shards) {
  Listener listener;
  listener.filters = std::make_shared<FilterFactory>(options.tls, options.websocket);
  if (options.unix_socket.empty()) {
    listen_on_tcp(options, shards, listener);
  } else {
    listen_on_unix(options, shards, listener);
  }
  return listener;
}

}  // namespace hub::broker
