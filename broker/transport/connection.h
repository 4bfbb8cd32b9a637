#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "base/steady_time.h"
#include "broker/mqtt/protocol.h"

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

// One network connection of one client: the socket, what is half received, what is not yet sent.
// Owned by a shard; knows nothing of packets.
class Connection {
 public:
  using Handle = std::uint64_t;

  enum class Stage : std::uint8_t {
    awaiting_connect,  // nothing but CONNECT is allowed
    open,
    closing,  // the last packet is written or being written; what comes in is thrown away
    closed,   // the socket is gone; the object goes at the end of the turn
  };

  explicit Connection(FileDescriptor accepted) : socket(std::move(accepted)) {}

  FileDescriptor socket;
  std::uint32_t armed_events = 0;  // what the poller watches for
  Stage stage = Stage::awaiting_connect;
  mqtt::ProtocolVersion version = mqtt::ProtocolVersion::v311;
  bool parked = false;              // waits until storage has room again
  bool output_full = false;         // waits until the client has read what it asked for
  bool output_held = false;         // CONNACK waits for a commit, and all behind it
  bool dirty = false;               // in the shard's list of connections to flush
  bool problem_information = true;  // MQTT 5.0 section 3.1.2.11.7
  std::uint16_t keep_alive_seconds = 0;
  std::uint32_t parked_bytes = 0;  // of `partial`, while parked
  std::uint32_t max_packet_to_client = 0xFFFF'FFFF;
  std::uint64_t session = 0;  // handle; 0 before CONNECT and once closed
  SteadyTime deadline;        // of the stage: CONNECT is due, or the linger ends
  SteadyTime last_received;

  // A packet that has not come whole, and in front of it nothing.
  std::unique_ptr<std::string> partial;

  [[nodiscard]] bool sends() const noexcept { return stage == Stage::open; }
  [[nodiscard]] std::size_t unsent_bytes() const noexcept {
    return out_ ? out_->size() - sent_ : 0;
  }

  // Where to append what is to be sent.
  [[nodiscard]] std::string& out(BufferPool& pool) {
    if (!out_) out_ = pool.take();
    return *out_;
  }

  enum class Flush : std::uint8_t { all_sent, socket_full, failed };
  // Gives the socket what it takes, without waiting: one system call in the common case.
  [[nodiscard]] Flush flush(BufferPool& pool);

  // "127.0.0.1:40112", for the log.
  [[nodiscard]] std::string peer() const;

 private:
  BufferPool::Buffer out_;
  std::size_t sent_ = 0;  // of *out_
};

}  // namespace hub::broker
