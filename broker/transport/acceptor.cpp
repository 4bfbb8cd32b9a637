#include "broker/transport/acceptor.h"

#include <sys/socket.h>

#include <cerrno>

#include "base/log.h"

namespace hub::broker {
namespace {

// A burst of connections does not hold the others of the turn up.
constexpr int kAcceptsPerTurn = 64;

log::Throttle out_of_descriptors;

}  // namespace

Acceptor::Result Acceptor::accept(const std::function<void(Transport)>& take) {
  Result result;
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    FileDescriptor socket{::accept4(listener_.socket.get(), reinterpret_cast<sockaddr*>(&address),
                                    &length, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (!socket) {
      if (errno == EMFILE || errno == ENFILE) {
        ++result.refused;
        log::line(out_of_descriptors, log::Level::error,
                  "no file descriptor for a new connection: raise the limit (ulimit -n)");
      }
      return result;
    }
    ++result.accepted;
    if (open_connections_.try_add()) {
      take(Transport{std::move(socket), PeerAddress{address}, listener_.filters->make()});
    } else {
      ++result.refused;
    }
  }
  return result;
}

}  // namespace hub::broker
