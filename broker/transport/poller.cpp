#include "broker/transport/poller.h"

#include <cerrno>
#include <system_error>

namespace hub::broker {
namespace {

void control(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll, operation, fd, &event) != 0) {
    throw std::system_error(errno, std::system_category(), "epoll_ctl");
  }
}

}  // namespace

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) throw std::system_error(errno, std::system_category(), "epoll_create1");
}

void Poller::add(int fd, std::uint32_t events, std::uint64_t tag) {
  control(epoll_.get(), EPOLL_CTL_ADD, fd, events, tag);
}

void Poller::modify(int fd, std::uint32_t events, std::uint64_t tag) {
  control(epoll_.get(), EPOLL_CTL_MOD, fd, events, tag);
}

void Poller::remove(int fd) noexcept { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

std::span<const epoll_event> Poller::ready() {
  const int count = ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), 0);
  return {events_.data(), count > 0 ? static_cast<std::size_t>(count) : 0};
}

}  // namespace hub::broker
