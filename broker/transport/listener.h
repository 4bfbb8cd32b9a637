#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "broker/transport/filter_factory.h"
#include "broker/transport/tls.h"
#include "broker/transport/websocket.h"

namespace hub::broker {

// Where connections come in, and what they speak below MQTT.
struct ListenerOptions {
  std::string address = "127.0.0.1";       // IPv4 or IPv6, not a name
  std::uint16_t port = 0;                  // 0: a free one
  std::filesystem::path unix_socket;       // in place of both, when not empty
  std::filesystem::perms unix_mode{0660};  // of that socket: who may connect
  std::optional<TlsOptions> tls;
  std::optional<WebSocketOptions> websocket;  // over TLS, with both
};

// A listening, non-blocking socket of one shard, and what makes the filters of its connections.
struct ListeningSocket {
  FileDescriptor socket;
  std::shared_ptr<const FilterFactory> filters;
};

// A listener of all shards.
struct Listener {
  // One per shard. Those of TCP share the port, and the kernel spreads connections over them; those
  // of a Unix socket are one socket, from which each shard takes what it gets.
  std::vector<FileDescriptor> sockets;
  std::uint16_t port = 0;  // the one that was picked when 0 was asked for; 0 of a Unix socket
  std::shared_ptr<FilterFactory> filters;
};

// Throws std::runtime_error with what to do when it cannot be listened on, also when another
// process of the same user already does; and as TlsContext. A Unix socket's file that nobody
// listens on any more is replaced.
[[nodiscard]] Listener listen_on(const ListenerOptions& options, std::uint32_t shards);

}  // namespace hub::broker
