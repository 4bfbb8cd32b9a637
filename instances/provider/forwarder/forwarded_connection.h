#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <string>

#include "base/file_descriptor.h"

namespace hub::instances {

// A client's socket, the target's, and what one has sent and the other has not yet taken.
struct ForwardedConnection {
  struct Side {
    FileDescriptor socket;
    Side* other = nullptr;
    ForwardedConnection* connection = nullptr;
    std::string unsent;        // to this socket; while there is any, the other one is not read
    bool input_ended = false;  // it will send no more
    std::uint32_t events = 0;  // as epoll was last told
  };

  ForwardedConnection(FileDescriptor client_socket, FileDescriptor target_socket) {
    client.socket = std::move(client_socket);
    target.socket = std::move(target_socket);
    client.other = &target;
    target.other = &client;
    client.connection = target.connection = this;
  }
  ForwardedConnection(const ForwardedConnection&) = delete;
  ForwardedConnection& operator=(const ForwardedConnection&) = delete;

  // All that was sent has been passed on, and both sides know that no more comes.
  [[nodiscard]] bool is_finished() const {
    return client.input_ended && target.input_ended && client.unsent.empty() &&
           target.unsent.empty();
  }

  Side client, target;
  bool connecting = true;  // to the target; the client is not read before
  std::chrono::steady_clock::time_point opened = std::chrono::steady_clock::now();
  std::list<ForwardedConnection*>::iterator place;  // among the connecting ones, while it is one
  bool closed = false;
};

}  // namespace hub::instances
