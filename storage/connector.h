#pragma once

#include <functional>
#include <memory>
#include <string>

#include "storage/batch_writer.h"

// libpq's own names, so that its header stays out of this one.
struct pg_conn;

namespace boost::asio {
class io_context;
}

namespace hub::storage {

// Opens database connections for all shards, away from their threads: resolving names and logging
// in may block. Multi-host URLs, target_session_attrs and everything else of libpq's connection
// strings is left to libpq; connection_parameters.h has what applies where the URL is silent.
//
// Thread-safe. Outlives the writers that use it. Destruction waits for an attempt that is under
// way: at most connect_timeout for each host.
class Connector {
 public:
  // url: a postgresql:// URL or a key=value string. Throws std::invalid_argument, with libpq's
  // words, when it is neither. Does not connect yet.
  explicit Connector(const std::string& url);
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  // One attempt to connect. Dropping it, on the thread of its io_context, withdraws the callback.
  class Attempt;

  // connection: owned by the callee, PQfinish it; null when the attempt failed, as `fault` says.
  using Done = std::function<void(pg_conn* connection, DatabaseFault fault)>;

  // Calls `done` on a thread that runs `io`, once.
  [[nodiscard]] std::unique_ptr<Attempt> connect(boost::asio::io_context& io, Done done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class Connector::Attempt {
 public:
  ~Attempt();

 private:
  friend class Connector;
  struct State;
  explicit Attempt(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace hub::storage
