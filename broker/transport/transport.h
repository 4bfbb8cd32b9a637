#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/file_descriptor.h"
#include "broker/transport/filter_chain.h"
#include "broker/transport/peer_address.h"

namespace hub::broker {

// The bytes between a client and its connection: a non-blocking stream socket, who is at its other
// end, and the filters that change the bytes on their way (TLS, WebSocket), if there are any. What
// was read and not handled, and what is to be sent, is the Connection's; what the filters have of
// it is here.
//
// Moves as a whole from one shard to another. One thread's at a time.
class Transport {
 public:
  // filters: null when the bytes are as they are on the wire.
  Transport(FileDescriptor socket, const PeerAddress& peer,
            std::unique_ptr<FilterChain> filters = nullptr)
      : filters_(std::move(filters)), socket_(std::move(socket)), peer_(peer) {}

  enum class Result : std::uint8_t {
    done,         // `bytes` of them
    would_block,  // nothing now: wait for readiness
    ended,        // the other end has closed, or the connection is broken: close(). After a
                  // failure() it may stay to write, and what comes in is then thrown away
  };
  struct Transfer {
    Result result = Result::ended;
    std::size_t bytes = 0;
  };

  // One system call, and with filters one more where they have something to answer. `into` has room
  // for `most` bytes. REQUIRES most > 0.
  [[nodiscard]] Transfer read(char* into, std::size_t most);
  // More was read than given: read() gives it, whether the socket is ready or not.
  [[nodiscard]] bool has_more() const noexcept {
    return filters_ &&
           (filters_->has_received() || (!filters_->is_open() && !filters_->end_is_told()));
  }

  // One system call, which may take a part. With filters, what was taken may still be unsent.
  // REQUIRES is_established().
  [[nodiscard]] Transfer write(std::string_view bytes);
  // Of what was taken, what its socket has not.
  [[nodiscard]] std::size_t unsent_bytes() const noexcept {
    return filters_ ? filters_->unsent().size() : 0;
  }
  // Sends what is unsent: `done` once nothing is.
  [[nodiscard]] Result flush() { return filters_ ? flush_filters() : Result::done; }

  // Every handshake is done.
  [[nodiscard]] bool is_established() const { return !filters_ || filters_->is_established(); }
  // Why read() says `ended`, when the other end broke a rule of TLS or WebSocket; empty otherwise.
  [[nodiscard]] std::string_view failure() const noexcept {
    return filters_ ? std::string_view{filters_->failure()} : std::string_view{};
  }

  // The other end reads an end of file once it has all that was written; reading goes on. To be
  // called again once flush() is done, where something was unsent.
  void end_writing();
  void close() { socket_.reset(); }

  // For a Poller only.
  [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }
  [[nodiscard]] const PeerAddress& peer() const noexcept { return peer_; }

 private:
  [[nodiscard]] Transfer read_filtered(char* into, std::size_t most);
  [[nodiscard]] Transfer told_end();
  [[nodiscard]] Transfer write_filtered(std::string_view bytes);
  [[nodiscard]] Result flush_filters();

  std::unique_ptr<FilterChain> filters_;
  FileDescriptor socket_;
  PeerAddress peer_;
};

}  // namespace hub::broker
