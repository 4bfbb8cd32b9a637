#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <vector>

#include "broker/broker.h"
#include "hub/config.h"

namespace hub {

// Has a broker read its certificates and keys anew once one of their files has changed, or when it
// is told to. What came of it is in the log. On the thread of `io`; borrows the broker.
class TlsWatch {
 public:
  TlsWatch(boost::asio::io_context& io, broker::Broker& broker, const Config& config,
           std::chrono::milliseconds interval = std::chrono::seconds{5});

  void reload_now();

 private:
  // What changes with a file: what is in it, which one it is, who may open it.
  struct Stamp {
    std::int64_t changed_ns = 0;  // its status, and so all of that
    std::uint64_t inode = 0;

    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  using Stamps = std::map<std::filesystem::path, Stamp>;

  [[nodiscard]] Stamps look() const;
  void wait();
  void reload();

  broker::Broker& broker_;
  const std::chrono::milliseconds interval_;
  std::vector<std::filesystem::path> files_;
  Stamps read_;  // as they were when they were read
  Stamps seen_;  // as they were at the last look
  boost::asio::steady_timer timer_;
};

}  // namespace hub
