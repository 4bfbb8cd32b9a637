#pragma once

#include <boost/system/result.hpp>
#include <cstddef>

#include "broker/mqtt/reason_code.h"

namespace hub::mqtt {

// Why a packet could not be decoded, in the peer's terms.
//
// The decoders tell the two apart as MQTT 5.0 section 1.2 does: malformed_packet, the bytes cannot
// be read as the standard lays them out; protocol_error, they can, and say what is not allowed.
// MQTT 3.1.1 has no reason codes: there `reason` is for the log and the connection is just closed
// (CONNECT apart, see ConnectError).
struct DecodeError {
  ReasonCode reason;   // what CONNACK or DISCONNECT will carry (MQTT 5.0 section 4.13)
  std::size_t offset;  // bytes from the start of the body to the offending field
  const char* what;    // static text for the log, with the normative statement that is broken
};

template <class T>
using DecodeResult = boost::system::result<T, DecodeError>;

}  // namespace hub::mqtt
