#pragma once

#include <memory>
#include <string>

namespace hub::storage {

// Opens database connections for all shards, away from their threads: resolving names and logging
// in may block. Multi-host URLs, target_session_attrs and everything else of libpq's connection
// strings is left to libpq; where the URL does not say otherwise, a host gets 5 s (connect_timeout)
// and a silent peer is given up after 20 s (tcp_user_timeout).
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

  struct Impl;
  [[nodiscard]] Impl& impl() noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace hub::storage
