#include "broker/transport/transport.h"

#include <sys/socket.h>

#include <cerrno>

namespace hub::broker {

Transport::Transfer Transport::read(char* into, std::size_t most) {
  const ssize_t n = ::recv(socket_.get(), into, most, 0);
  if (n > 0) return {Result::done, static_cast<std::size_t>(n)};
  // An interrupted call is tried again when the poller says once more that it is ready.
  const bool later = n < 0 && (errno == EAGAIN || errno == EINTR);
  return {later ? Result::would_block : Result::ended, 0};
}

Transport::Transfer Transport::write(std::string_view bytes) {
  for (;;) {
    const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) return {Result::done, static_cast<std::size_t>(n)};
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {Result::would_block, 0};
    if (errno != EINTR) return {Result::ended, 0};
  }
}

void Transport::end_writing() { ::shutdown(socket_.get(), SHUT_WR); }

}  // namespace hub::broker
