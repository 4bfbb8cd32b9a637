#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/durable_change.h"
#include "broker/counters.h"
#include "broker/options.h"
#include "broker/publish_sink.h"
#include "broker/transport/connection_count.h"
#include "broker/transport/listener.h"

namespace boost::asio {
class io_context;
}

namespace hub::broker {

// The MQTT broker: a shard per thread, listeners, start and stop. Its functions are called from
// one thread that is none of the shards'.
class Broker {
 public:
  // Makes the sink of a shard, on that shard's thread. `listener` is the shard.
  using SinkFactory = std::function<std::unique_ptr<PublishSink>(
      std::uint32_t shard, boost::asio::io_context& io, SinkListener& listener)>;
  // Those that the database holds.
  using StoredSessions = std::vector<StoredSession>;

  // Starts the shards' threads; they take no connections before listen().
  Broker(const Options& options, std::uint32_t shards, const SinkFactory& make_sink,
         StoredSessions sessions);
  ~Broker();  // stop() with no grace, if it was not called
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  // Takes connections from one more listener. Returns its port, 0 of a Unix socket. Throws as
  // listen_on(). By the thread that calls stop().
  std::uint16_t listen(const ListenerOptions& options);
  std::uint16_t listen(const std::string& address, std::uint16_t port);

  // Reads certificates and keys of every listener anew, for connections from now on. Returns what
  // is wrong; a listener with such a mistake goes on with what it had. Any thread that is none of
  // the shards'.
  [[nodiscard]] std::vector<std::string> reload_tls();

  // Stops accepting and reading, commits and acknowledges what was accepted, tells every client
  // (DISCONNECT 0x8B) and waits until it has closed; returns after `grace` in any case.
  // True when nothing was left undone.
  bool stop(std::chrono::milliseconds grace);

  // Publishes messages of the hub's own, at QoS 0 and retained: topic and payload of each. Any
  // thread that is none of the shards'; returns at once.
  void publish_own(std::vector<std::pair<std::string, std::string>> messages);

  struct Totals {
    Counters counters;
    std::size_t connections = 0;
    std::size_t sessions = 0;
    std::size_t parked_bytes = 0;  // sent by publishers that wait for storage, unhandled
    // When the first certificate of a listener ends to be valid; nothing without one.
    std::optional<std::chrono::system_clock::time_point> tls_expires_at;
  };
  // Asks every shard, and waits for the answers. Any thread that is none of the shards'.
  [[nodiscard]] Totals totals() const;

 private:
  struct Worker;

  ConnectionCount open_connections_;  // outlives the shards
  std::vector<std::unique_ptr<Worker>> workers_;
  using Filters = std::vector<std::shared_ptr<FilterFactory>>;
  [[nodiscard]] Filters filters() const;

  mutable std::mutex mutex_;
  Filters filters_;                                  // of each listener; with the mutex
  std::vector<std::filesystem::path> unix_sockets_;  // removed by stop()
  bool stopped_ = false;
};

}  // namespace hub::broker
