#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "instances/operations/placement.h"

namespace hub::instances {
namespace {

using namespace std::chrono_literals;

// CONNECT of MQTT 3.1.1: a clean session, keep-alive 10 s, client id "$health", which is no device.
constexpr std::array<unsigned char, 21> kConnect{0x10, 19, 0, 4,   'M', 'Q', 'T', 'T', 4,   2,  0,
                                                 10,   0,  7, '$', 'h', 'e', 'a', 'l', 't', 'h'};
constexpr std::array<unsigned char, 2> kDisconnect{0xe0, 0};
constexpr unsigned char kConnack = 0x20;

// Takes the four bytes of a CONNACK, whatever it answers.
bool read_connack(int fd) {
  std::array<unsigned char, 4> answer{};
  std::size_t have = 0;
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  while (have < answer.size()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd wait{fd, POLLIN, 0};
    if (left <= 0ms || ::poll(&wait, 1, static_cast<int>(left.count())) != 1) return false;
    const auto got = ::recv(fd, answer.data() + have, answer.size() - have, 0);
    if (got <= 0) return false;
    have += static_cast<std::size_t>(got);
  }
  return answer[0] == kConnack;
}

}  // namespace

void check_health(const Machinery& machinery, const Hub& hub) {
  const auto socket = machinery.provider.dial(hub.id, 1883, 3s);
  if (::send(socket.get(), kConnect.data(), kConnect.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(kConnect.size()) ||
      !read_connack(socket.get()))
    throw std::runtime_error(
        fmt::format("the hub {} takes connections, but does not answer CONNECT", hub.id));
  static_cast<void>(::send(socket.get(), kDisconnect.data(), kDisconnect.size(), MSG_NOSIGNAL));
}

std::string last_line_of(const std::string& text) {
  const auto end = text.find_last_not_of("\n ");
  if (end == std::string::npos) return "";
  const auto before = text.rfind('\n', end);
  const auto start = before == std::string::npos ? 0 : before + 1;
  return text.substr(start, end + 1 - start);
}

}  // namespace hub::instances
