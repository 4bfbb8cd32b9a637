#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <span>

#include "base/file_descriptor.h"

namespace hub::broker {

// Readiness of a shard's sockets: one epoll set that the shard's io_context watches as a single
// descriptor, so that a socket costs no Asio object, and one wake-up sees all that are ready.
// Level-triggered: what is not read now is reported again.
class Poller {
 public:
  Poller();

  // tag: comes back with the event. events: EPOLLIN, EPOLLOUT; errors are always reported.
  // Each throws std::system_error when the kernel refuses (ENOSPC: fs.epoll.max_user_watches).
  void add(int fd, std::uint32_t events, std::uint64_t tag);
  void modify(int fd, std::uint32_t events, std::uint64_t tag);
  void remove(int fd) noexcept;

  // What is ready now, without waiting; valid until the next call.
  [[nodiscard]] std::span<const epoll_event> ready();

  [[nodiscard]] int native_handle() const noexcept { return epoll_.get(); }

 private:
  FileDescriptor epoll_;
  std::array<epoll_event, 512> events_;
};

}  // namespace hub::broker
