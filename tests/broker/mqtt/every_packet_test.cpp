// What holds for every packet that a client can send, one by one over the golden packets.

#include <memory>
#include <random>

#include "tests/broker/mqtt/codec_test_support.h"

namespace hub::mqtt {
namespace {

// A copy on the heap of exactly the bytes, so that the address sanitizer sees one read too many.
class ExactCopy {
 public:
  explicit ExactCopy(std::string_view bytes)
      : bytes_(std::make_unique<char[]>(bytes.size())), size_(bytes.size()) {
    bytes.copy(bytes_.get(), size_);
  }
  [[nodiscard]] std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t size_;
};

class EveryPacket : public testing::TestWithParam<GoldenPacket> {};

TEST_P(EveryPacket, IsFramedAndDecoded) {
  const GoldenPacket& golden = GetParam();
  const ExactCopy packet{golden.bytes()};
  const FrameHeader header = peek_frame(packet.view(), kMaxPacketBytes, golden.version);
  ASSERT_EQ(header.state, FrameState::complete);
  ASSERT_EQ(header.packet_bytes(), packet.view().size());
  const ExactCopy body{packet.view().substr(header.header_bytes)};
  const auto error = decode_client_packet(golden.version, header.type, header.flags, body.view());
  EXPECT_FALSE(error) << error->what << " at " << error->offset;
}

TEST_P(EveryPacket, NeedsMoreAtEachPrefix) {
  const GoldenPacket& golden = GetParam();
  const std::string packet = golden.bytes();
  for (std::size_t bytes = 0; bytes < packet.size(); ++bytes) {
    const ExactCopy prefix{std::string_view{packet}.substr(0, bytes)};
    EXPECT_EQ(peek_frame(prefix.view(), kMaxPacketBytes, golden.version).state,
              FrameState::need_more)
        << bytes;
  }
}

// A body that ends early is wrong, or a shorter packet of its own; it is never read past its end.
TEST_P(EveryPacket, StaysInsideAnEarlyEnd) {
  const GoldenPacket& golden = GetParam();
  const std::string packet = golden.bytes();
  const FrameHeader header = peek_frame(packet, kMaxPacketBytes, golden.version);
  const std::string_view body = std::string_view{packet}.substr(header.header_bytes);
  for (std::size_t bytes = 0; bytes < body.size(); ++bytes) {
    const ExactCopy prefix{body.substr(0, bytes)};
    const auto error =
        decode_client_packet(golden.version, header.type, header.flags, prefix.view());
    if (!error) continue;
    EXPECT_LE(error->offset, bytes);
    EXPECT_TRUE(is_failure(error->reason));
    EXPECT_NE(error->what, nullptr);
  }
}

TEST_P(EveryPacket, SurvivesEachByteChanged) {
  const GoldenPacket& golden = GetParam();
  const std::string packet = golden.bytes();
  const FrameHeader header = peek_frame(packet, kMaxPacketBytes, golden.version);
  std::mt19937 random{12'345};
  for (std::size_t at = header.header_bytes; at < packet.size(); ++at) {
    for (const unsigned value :
         {0x00u, 0x01u, 0x7Fu, 0x80u, 0xFFu, static_cast<unsigned>(random() & 0xFF)}) {
      std::string changed = packet.substr(header.header_bytes);
      changed[at - header.header_bytes] = static_cast<char>(value);
      const ExactCopy body{changed};
      const auto error =
          decode_client_packet(golden.version, header.type, header.flags, body.view());
      if (error) {
        EXPECT_LE(error->offset, changed.size());
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, EveryPacket, testing::ValuesIn(golden_packets()),
                         [](const auto& info) { return std::string{info.param.name}; });

}  // namespace
}  // namespace hub::mqtt
