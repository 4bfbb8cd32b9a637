#pragma once

#include <cstdint>

#include "broker/mqtt/decode_error.h"

namespace hub::broker {

// How a connection goes on after one of its packets. A DecodeError: the client broke the standard.
enum class Progress : std::uint8_t {
  next,   // on to the next packet
  wait,   // this packet is done; the next one later
  park,   // this packet later
  stop,   // no further packet of this connection: it is closing already
  close,  // the same, and it is to be closed, its will published
};
using Handled = mqtt::DecodeResult<Progress>;

}  // namespace hub::broker
