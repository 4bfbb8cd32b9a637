#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/transport/transport.h"

namespace hub::broker {

// Output buffers that connections borrow while they have something to send, so that an idle
// connection holds none. One shard's.
class BufferPool {
 public:
  using Buffer = std::unique_ptr<std::string>;

  Buffer take() {
    if (free_.empty()) return std::make_unique<std::string>();
    Buffer buffer = std::move(free_.back());
    free_.pop_back();
    return buffer;
  }
  // Buffers that grew large are not kept.
  void give_back(Buffer buffer) {
    if (free_.size() >= kMaxFree || buffer->capacity() > kMaxKeptBytes) return;
    buffer->clear();
    free_.push_back(std::move(buffer));
  }

 private:
  static constexpr std::size_t kMaxFree = 1'024;
  static constexpr std::size_t kMaxKeptBytes = 256 * 1024;
  std::vector<Buffer> free_;
};

// What all connections of a shard are read into, one after the other.
class ReadBuffer {
 public:
  static constexpr std::size_t kBytes = 256 * 1024;

  ReadBuffer();
  [[nodiscard]] char* data() const noexcept { return bytes_.get(); }

 private:
  std::unique_ptr<char[]> bytes_;  // kPayloadPadding more than are ever filled
};

// One network connection: its transport, what came over it and was not handled, and what is to be
// sent over it. An idle one holds no buffer. Owned by a shard; knows nothing of packets.
class Connection {
 public:
  enum class State : std::uint8_t {
    open,
    closing,  // what is written goes out; what comes in is thrown away
    closed,   // the transport is gone; the object goes at the end of the turn
  };
  // Why it is not read.
  enum class Hold : std::uint8_t {
    storage = 1,      // waits until storage has room again
    output_full = 2,  // waits until the client has read what it asked for
    output_kept = 4,  // what is written waits for a commit, and so does all behind it
  };

  explicit Connection(Transport transport) : transport_(std::move(transport)) {}

  State state = State::open;
  bool to_flush = false;  // in the shard's list of those with something to send

  [[nodiscard]] bool is_held() const noexcept { return holds_ != 0; }
  [[nodiscard]] bool is_held(Hold hold) const noexcept {
    return (holds_ & static_cast<std::uint8_t>(hold)) != 0;
  }
  void hold(Hold hold) noexcept { holds_ |= static_cast<std::uint8_t>(hold); }
  void release(Hold hold) noexcept { holds_ &= static_cast<std::uint8_t>(~static_cast<int>(hold)); }
  void release_all() noexcept { holds_ = 0; }

  // --- Input

  struct Input {
    Transport::Result result = Transport::Result::would_block;
    // On `done`: all that there is to handle, what was unread in front; kPayloadPadding more bytes
    // are readable past its end. Valid until keep(), drop_unread(), or the next read() or
    // unread() with `buffer`.
    std::string_view bytes{};
  };
  // Reads at most `most` bytes, by one system call. REQUIRES most > 0.
  [[nodiscard]] Input read(ReadBuffer& buffer, std::size_t most);
  // The same without reading: `would_block` when nothing is unread.
  [[nodiscard]] Input unread(ReadBuffer& buffer);
  // rest: the end of the bytes that were given last, which was not handled: it stays unread. The
  // rest of one read at most, and so bounded by what read() was allowed and the longest packet.
  void keep(std::string_view rest);
  void drop_unread() { unread_.reset(); }
  [[nodiscard]] std::size_t unread_bytes() const noexcept { return unread_ ? unread_->size() : 0; }
  [[nodiscard]] std::string_view unread_input() const noexcept {
    return unread_ ? std::string_view{*unread_} : std::string_view{};
  }

  // --- Output

  // Where to append what is to be sent.
  [[nodiscard]] std::string& out(BufferPool& pool) {
    if (!out_) out_ = pool.take();
    return *out_;
  }
  [[nodiscard]] std::size_t unsent_bytes() const noexcept {
    return (out_ ? out_->size() - sent_ : 0) + transport_.unsent_bytes();
  }
  enum class Flush : std::uint8_t { all_sent, transport_full, failed };
  // Gives the transport what it takes, without waiting: one system call in the common case.
  [[nodiscard]] Flush flush(BufferPool& pool);

  [[nodiscard]] Transport& transport() noexcept { return transport_; }
  [[nodiscard]] const Transport& transport() const noexcept { return transport_; }

  // What the poller watches for, when it is not what it watched for already (EPOLLIN, EPOLLOUT).
  [[nodiscard]] bool set_watched(std::uint32_t events) noexcept {
    const auto wanted = static_cast<std::uint8_t>(events);
    if (wanted == watched_) return false;
    watched_ = wanted;
    return true;
  }

 private:
  std::uint8_t holds_ = 0;
  std::uint8_t watched_ = 0;
  std::uint32_t sent_ = 0;  // of *out_
  Transport transport_;
  std::unique_ptr<std::string> unread_;
  BufferPool::Buffer out_;
};

}  // namespace hub::broker
