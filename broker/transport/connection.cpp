#include "broker/transport/connection.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

namespace hub::broker {

Connection::Flush Connection::flush(BufferPool& pool) {
  if (!out_) return Flush::all_sent;
  while (sent_ < out_->size()) {
    const ssize_t n =
        ::send(socket.get(), out_->data() + sent_, out_->size() - sent_, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return Flush::failed;
      if (sent_ > out_->size() / 2) {  // move the rest to the front once it is the smaller part
        out_->erase(0, sent_);
        sent_ = 0;
      }
      return Flush::socket_full;
    }
    sent_ += static_cast<std::size_t>(n);
  }
  sent_ = 0;
  pool.give_back(std::move(out_));
  return Flush::all_sent;
}

std::string Connection::peer() const {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getpeername(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return "a closed connection";
  }
  char text[INET6_ADDRSTRLEN] = {};
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return fmt::format("[{}]:{}", text, ntohs(v6.sin6_port));
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
  ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
  return fmt::format("{}:{}", text, ntohs(v4.sin_port));
}

}  // namespace hub::broker
