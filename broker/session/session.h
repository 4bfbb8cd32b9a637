#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/message.h"
#include "base/steady_time.h"
#include "broker/session/channel.h"
#include "broker/session/inbound_flows.h"
#include "broker/session/outbound_flows.h"

namespace hub::broker {

class RoutedFilter;

// A client's session: the state that outlives its connection (MQTT 5.0 section 4.1). Owned by the
// shard that the client id hashes to; that of an idle subscriber is meant to be small.
struct Session {
  using Handle = std::uint64_t;

  Handle handle = 0;
  std::string client_id;
  std::string username;
  Channel* channel = nullptr;        // null while the client is away
  std::uint32_t expiry_seconds = 0;  // 0: ends with the connection; mqtt::kNeverExpires
  std::uint16_t send_quota = 65'535;
  std::uint32_t unacknowledged = 0;   // tokens that storage still holds
  std::uint64_t held_bytes = 0;       // and with them, of this session's publishes
  SteadyTime expires_at{};            // while the client is away
  std::int32_t metered_on = -1;       // see Meter
  bool state_dirty = false;           // its durable state is to be saved with the next batch
  bool state_saved = false;           // the database may know this session
  bool state_held_something = false;  // and, of it, subscriptions or packet ids

  std::vector<const RoutedFilter*> subscriptions;  // the router's, with their options
  std::unique_ptr<InboundFlows> inbound;           // made when first needed
  std::unique_ptr<OutboundFlows> outbound;         // made when first needed

  MessageRef will;
  std::optional<std::uint32_t> will_expiry_seconds;
  std::uint32_t will_delay_seconds = 0;
  SteadyTime will_due{};  // while it is delayed

  // The session's slot in its shard, by which the router knows it.
  [[nodiscard]] std::uint32_t slot() const noexcept { return static_cast<std::uint32_t>(handle); }

  [[nodiscard]] bool persistent() const noexcept { return expiry_seconds != 0; }

  // The client is away, or has a new connection now.
  void connection_lost() {
    channel = nullptr;
    if (inbound) inbound->connection_lost();
  }

  [[nodiscard]] InboundFlows& inbound_flows() {
    if (!inbound) inbound = std::make_unique<InboundFlows>();
    return *inbound;
  }
  [[nodiscard]] OutboundFlows& outbound_flows() {
    if (!outbound) {
      outbound = std::make_unique<OutboundFlows>();
      outbound->set_send_quota(send_quota);
    }
    return *outbound;
  }
};

}  // namespace hub::broker
