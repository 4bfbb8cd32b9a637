#pragma once

#include <cstdint>

#include "base/steady_time.h"
#include "broker/mqtt/protocol.h"

namespace hub::broker {

struct Session;

// One network connection in the protocol's terms: how far it has come, and what its CONNECT agreed
// on. Its shard keeps it beside the connection itself, at one address for as long as that lives.
struct Channel {
  using Handle = std::uint64_t;

  enum class Stage : std::uint8_t {
    awaiting_connect,  // nothing but CONNECT is allowed
    open,
    closing,  // the last packet is written: what comes in is thrown away
  };

  Handle handle = 0;           // names the connection on its shard; 0 names none
  Session* session = nullptr;  // while open; its `channel` is this one
  SteadyTime last_received;
  std::uint32_t max_packet_to_client = 0xFFFF'FFFF;
  std::uint16_t keep_alive_seconds = 0;
  mqtt::ProtocolVersion version = mqtt::ProtocolVersion::v311;
  Stage stage : 2 = Stage::awaiting_connect;
  bool problem_information : 1 = true;  // MQTT 5.0 section 3.1.2.11.7
};

}  // namespace hub::broker
