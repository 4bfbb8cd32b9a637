#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/file_descriptor.h"
#include "broker/transport/peer_address.h"

namespace hub::broker {

// The bytes between a client and its connection: a non-blocking stream socket, and who is at its
// other end. It holds nothing that was read or is to be sent: that is the Connection's. What
// changes the bytes on their way (TLS, WebSocket) joins here, behind the same calls.
//
// Moves as a whole from one shard to another. One thread's at a time.
class Transport {
 public:
  Transport(FileDescriptor socket, const PeerAddress& peer)
      : socket_(std::move(socket)), peer_(peer) {}

  enum class Result : std::uint8_t {
    done,         // `bytes` of them
    would_block,  // nothing now: wait for readiness
    ended,        // the other end has closed, or the connection is broken: close()
  };
  struct Transfer {
    Result result = Result::ended;
    std::size_t bytes = 0;
  };

  // One system call. `into` has room for `most` bytes. REQUIRES most > 0.
  [[nodiscard]] Transfer read(char* into, std::size_t most);
  // One system call, which may take a part.
  [[nodiscard]] Transfer write(std::string_view bytes);

  // The other end reads an end of file once it has all that was written; reading goes on.
  void end_writing();
  void close() { socket_.reset(); }

  // For a Poller only.
  [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }
  [[nodiscard]] const PeerAddress& peer() const noexcept { return peer_; }

 private:
  FileDescriptor socket_;
  PeerAddress peer_;
};

}  // namespace hub::broker
