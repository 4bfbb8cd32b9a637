#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "broker/mqtt/framer.h"
#include "tests/support/mqtt_client_codec.h"
#include "tests/support/mqtt_golden_packets.h"

namespace hub::mqtt {

// The body of one whole packet.
inline std::string body_of(std::string_view packet, ProtocolVersion version = ProtocolVersion::v5) {
  const FrameHeader header = peek_frame(packet, kMaxPacketBytes, version);
  EXPECT_EQ(header.state, FrameState::complete) << to_hex(packet);
  EXPECT_EQ(header.packet_bytes(), packet.size()) << to_hex(packet);
  return std::string{packet.substr(header.header_bytes, header.body_bytes)};
}

// That `result` failed for `reason` at `offset`, and says why with `what` in it.
template <class Result>
void expect_error(const Result& result, ReasonCode reason, std::size_t offset,
                  std::string_view what) {
  ASSERT_TRUE(result.has_error()) << "decoded, though it breaks " << what;
  EXPECT_EQ(result.error().reason, reason) << result.error().what;
  EXPECT_EQ(result.error().offset, offset) << result.error().what;
  EXPECT_THAT(result.error().what, testing::HasSubstr(std::string{what}));
}

}  // namespace hub::mqtt
