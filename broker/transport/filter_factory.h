#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/transport/filter_chain.h"
#include "broker/transport/tls.h"
#include "broker/transport/websocket.h"

namespace hub::broker {

// Makes the filters of a listener's connections. Thread-safe: the shards' acceptors share it, and
// what it makes them of can be exchanged meanwhile.
class FilterFactory {
 public:
  // Throws as TlsContext.
  FilterFactory(std::optional<TlsOptions> tls, std::optional<WebSocketOptions> websocket);

  // Of a new connection, which this object outlives; null when its bytes go as they are.
  [[nodiscard]] std::unique_ptr<FilterChain> make() const;

  // Reads certificates and keys anew, for connections from now on. Throws as TlsContext: then those
  // of before stay. One caller at a time.
  void reload();

  // Null without TLS.
  [[nodiscard]] std::shared_ptr<const TlsContext> tls() const { return tls_.load(); }

 private:
  std::optional<TlsOptions> options_;
  const std::optional<WebSocketOptions> websocket_;
  std::atomic<std::shared_ptr<const TlsContext>> tls_;
};

}  // namespace hub::broker
