#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "broker/broker.h"
#include "hub/hub_status.h"

namespace hub {

using SysMessages = std::vector<std::pair<std::string, std::string>>;

// The topics below $SYS and what they say: what mosquitto has under its names ($SYS/broker/…),
// every counter and each rule's part of the ledger under $SYS/hub/….
[[nodiscard]] SysMessages sys_messages(const HubReport& report);

// Publishes them, retained, at the start and whenever `interval` has passed: those that say
// something new. On the io_context's thread, which is none of the shards'; status and broker
// outlive it.
class SysTopics {
 public:
  SysTopics(boost::asio::io_context& io, const HubStatus& status, broker::Broker& broker,
            std::chrono::seconds interval);

 private:
  void publish();

  const HubStatus& status_;
  broker::Broker& broker_;
  const std::chrono::seconds interval_;
  boost::asio::steady_timer timer_;
  std::map<std::string, std::string> said_;
};

}  // namespace hub
