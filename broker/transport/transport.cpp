#include "broker/transport/transport.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace hub::broker {
namespace {

// What is read of a socket with filters at once: a whole record of TLS, and more.
constexpr std::size_t kWireBytes = std::size_t{32} << 10;
// What filters are given at once: no more is encrypted than a socket may take.
constexpr std::size_t kFilteredBytes = std::size_t{64} << 10;

Transport::Transfer receive(const FileDescriptor& socket, char* into, std::size_t most) {
  using Result = Transport::Result;
  const ssize_t n = ::recv(socket.get(), into, most, 0);
  if (n > 0) return {Result::done, static_cast<std::size_t>(n)};
  // An interrupted call is tried again when the poller says once more that it is ready.
  const bool later = n < 0 && (errno == EAGAIN || errno == EINTR);
  return {later ? Result::would_block : Result::ended, 0};
}

Transport::Transfer send(const FileDescriptor& socket, std::string_view bytes) {
  using Result = Transport::Result;
  for (;;) {
    const ssize_t n = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n >= 0) return {Result::done, static_cast<std::size_t>(n)};
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {Result::would_block, 0};
    if (errno != EINTR) return {Result::ended, 0};
  }
}

}  // namespace

Transport::Transfer Transport::read(char* into, std::size_t most) {
  return filters_ ? read_filtered(into, most) : receive(socket_, into, most);
}

Transport::Transfer Transport::read_filtered(char* into, std::size_t most) {
  if (!filters_->has_received()) {
    if (!filters_->is_open() && !filters_->end_is_told()) return told_end();
    std::array<char, kWireBytes> wire;  // filled by recv()
    const Transfer got = receive(socket_, wire.data(), wire.size());
    if (got.result != Result::done) return got;
    if (!filters_->is_open()) return {Result::would_block, 0};  // thrown away, until it closes
    filters_->receive({wire.data(), got.bytes});
    if (flush_filters() == Result::ended && !filters_->has_received()) return {Result::ended, 0};
  }
  if (filters_->has_received()) return {Result::done, filters_->take_received(into, most)};
  if (filters_->is_open()) return {Result::would_block, 0};
  return told_end();
}

Transport::Transfer Transport::told_end() {
  filters_->tell_end();
  return {Result::ended, 0};
}

Transport::Transfer Transport::write(std::string_view bytes) {
  return filters_ ? write_filtered(bytes) : send(socket_, bytes);
}

Transport::Transfer Transport::write_filtered(std::string_view bytes) {
  if (const Result result = flush_filters(); result != Result::done) return {result, 0};
  const std::string_view part = bytes.substr(0, kFilteredBytes);
  filters_->send(part);
  if (flush_filters() == Result::ended) return {Result::ended, 0};
  return {Result::done, part.size()};
}

Transport::Result Transport::flush_filters() {
  while (!filters_->unsent().empty()) {
    const Transfer gone = send(socket_, filters_->unsent());
    if (gone.result != Result::done) return gone.result;
    filters_->remove_unsent(gone.bytes);
  }
  return Result::done;
}

void Transport::end_writing() {
  if (filters_) {
    filters_->end();
    if (flush_filters() == Result::would_block) return;  // comes again once that is sent
  }
  ::shutdown(socket_.get(), SHUT_WR);
}

}  // namespace hub::broker
