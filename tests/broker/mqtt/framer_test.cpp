#include "broker/mqtt/framer.h"

#include "tests/broker/mqtt/codec_test_support.h"

namespace hub::mqtt {
namespace {

using enum ProtocolVersion;

FrameHeader peek(std::string_view hex, ProtocolVersion version = v5, std::size_t max = 1000) {
  return peek_frame(from_hex(hex), max, version);
}

TEST(Framer, FindsTheEndOfThePacketAndLooksNoFurther) {
  const FrameHeader header = peek("30 03 000161 ff ff");
  EXPECT_EQ(header.state, FrameState::complete);
  EXPECT_EQ(header.type, PacketType::publish);
  EXPECT_EQ(header.header_bytes, 2);
  EXPECT_EQ(header.body_bytes, 3u);
  EXPECT_EQ(header.packet_bytes(), 5u);
}

TEST(Framer, NeedsMoreUntilTheLastByte) {
  EXPECT_EQ(peek("").state, FrameState::need_more);
  EXPECT_EQ(peek("30").state, FrameState::need_more);
  EXPECT_EQ(peek("30").packet_bytes(), 0u);
  EXPECT_EQ(peek("30 83").packet_bytes(), 0u);
  EXPECT_EQ(peek("30 03 0001").state, FrameState::need_more);
  EXPECT_EQ(peek("30 03 0001").packet_bytes(), 5u);
}

TEST(Framer, ReadsLengthsOfOneToFourBytes) {
  EXPECT_EQ(peek("30 7f", v5, kMaxPacketBytes).body_bytes, 127u);
  EXPECT_EQ(peek("30 8001", v5, kMaxPacketBytes).body_bytes, 128u);
  EXPECT_EQ(peek("30 ff7f", v5, kMaxPacketBytes).body_bytes, 16'383u);
  EXPECT_EQ(peek("30 808001", v5, kMaxPacketBytes).body_bytes, 16'384u);
  EXPECT_EQ(peek("30 ffff7f", v5, kMaxPacketBytes).body_bytes, 2'097'151u);
  EXPECT_EQ(peek("30 80808001", v5, kMaxPacketBytes).body_bytes, 2'097'152u);
  const FrameHeader longest = peek("30 ffffff7f", v5, kMaxPacketBytes);
  EXPECT_EQ(longest.state, FrameState::need_more);
  EXPECT_EQ(longest.packet_bytes(), kMaxPacketBytes);
}

TEST(Framer, RefusesALengthOfFiveBytes) {  // section 1.5.5
  const FrameHeader header = peek("30 80808080");
  EXPECT_EQ(header.state, FrameState::malformed);
  EXPECT_EQ(header.error().reason, ReasonCode::malformed_packet);
  EXPECT_THAT(header.error().what, testing::HasSubstr("four bytes"));
}

TEST(Framer, DemandsTheShortestLengthOfVersion5Only) {  // [MQTT-1.5.5-1]
  EXPECT_EQ(peek("c0 8000", v5).state, FrameState::malformed);
  EXPECT_EQ(peek("c0 8000", v311).state, FrameState::complete);
  EXPECT_EQ(peek("c0 8000", v311).packet_bytes(), 3u);
}

TEST(Framer, KnowsTheFlagsOfEachType) {  // [MQTT-2.1.3-1], table 2-2
  for (unsigned type = 1; type <= 15; ++type) {
    for (unsigned flags = 0; flags <= 15; ++flags) {
      const char bytes[] = {static_cast<char>(type << 4 | flags), 0};
      const FrameHeader header = peek_frame({bytes, 2}, 1000, v5);
      const bool right = type == 3                              ? true
                         : type == 6 || type == 8 || type == 10 ? flags == 2
                                                                : flags == 0;
      EXPECT_EQ(header.state, right ? FrameState::complete : FrameState::malformed)
          << type << " " << flags;
      // The first byte is enough to tell.
      EXPECT_EQ(peek_frame({bytes, 1}, 1000, v5).state,
                right ? FrameState::need_more : FrameState::malformed);
    }
  }
}

TEST(Framer, RefusesReservedTypes) {
  for (unsigned flags = 0; flags <= 15; ++flags) {
    const char byte = static_cast<char>(flags);
    EXPECT_EQ(peek_frame({&byte, 1}, 1000, v5).state, FrameState::malformed);
    EXPECT_EQ(peek_frame({&byte, 1}, 1000, v311).state, FrameState::malformed);
  }
  EXPECT_EQ(peek("f000", v5).state, FrameState::complete);  // AUTH
  EXPECT_EQ(peek("f000", v311).state, FrameState::malformed);
}

TEST(Framer, RefusesAPacketThatIsTooLargeBeforeItIsThere) {
  EXPECT_EQ(peek("30 08", v5, 10).state, FrameState::need_more);
  const FrameHeader header = peek("30 09", v5, 10);
  EXPECT_EQ(header.state, FrameState::too_large);
  EXPECT_EQ(header.error().reason, ReasonCode::packet_too_large);
  EXPECT_EQ(header.packet_bytes(), 11u);
}

}  // namespace
}  // namespace hub::mqtt
