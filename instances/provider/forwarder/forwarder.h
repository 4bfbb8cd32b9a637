#pragma once

#include <netinet/in.h>

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/file_descriptor.h"
#include "instances/provider/forwarder/client_names.h"
#include "instances/provider/forwarder/forwarded_connection.h"

namespace hub::instances {

struct ForwarderOptions {
  sockaddr_in target{};
  // Connect in the client's own name: the instance, its rules and its log see who it is. Needs
  // CAP_NET_RAW, and a namespace that takes in what is addressed to the client.
  bool transparent = false;
};

// Accepts on a listening socket and forwards each connection to the target, byte by byte, both
// ways; ends and resets travel too. A connection that the target refuses, or does not take within
// kConnectLimit, is reset.
//
// One thread; several may share a listener. A connection holds at most one read per direction
// (kReadBytes) that the other side has not taken, and nothing while it is idle.
class Forwarder {
 public:
  static constexpr std::size_t kReadBytes = 64 << 10;
  static constexpr std::chrono::seconds kConnectLimit{10};

  // `listener` is borrowed, and non-blocking.
  Forwarder(const ForwarderOptions& options, int listener);

  [[noreturn]] void run();

 private:
  using Side = ForwardedConnection::Side;

  void accept_clients();
  void open_connection(FileDescriptor client, const sockaddr_in& address);
  [[nodiscard]] FileDescriptor connect_to_target(const sockaddr_in& client);
  void handle(Side& side, std::uint32_t events);
  [[nodiscard]] bool finish_connect(Side& target);
  [[nodiscard]] bool read_from(Side& side);
  [[nodiscard]] bool write_to(Side& side);
  void pass_on_end(Side& from);
  void watch(Side& side);
  void reset(ForwardedConnection& connection);
  void close(ForwardedConnection& connection);
  void end_slow_connects();
  void listen(bool on);

  const ForwarderOptions options_;
  const int listener_;
  const FileDescriptor epoll_;
  bool listening_ = false;
  ClientNames names_;
  std::vector<char> buffer_;
  std::unordered_map<ForwardedConnection*, std::unique_ptr<ForwardedConnection>> connections_;
  std::vector<std::unique_ptr<ForwardedConnection>> closed_;  // events of this turn may name them
  std::list<ForwardedConnection*> connecting_;                // the oldest first
};

}  // namespace hub::instances
