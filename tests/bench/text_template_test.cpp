#include "bench/load/text_template.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace hub::bench {
namespace {

TEST(TextTemplate, LeavesTheBracesOfJsonAlone) {
  const TextTemplate text{R"({"a":{"b":[{}]},"c":"{X}"})"};
  ASSERT_EQ(text.segments().size(), 1U);
  EXPECT_EQ(text.segments().front().text, R"({"a":{"b":[{}]},"c":"{X}"})");
}

TEST(TextTemplate, FindsFieldsNextToBraces) {
  const TextTemplate text{R"({"t":{temp}})"};
  ASSERT_EQ(text.segments().size(), 3U);
  EXPECT_EQ(text.segments()[1].field, Field::temperature);
  EXPECT_EQ(text.segments()[2].text, "}");
}

TEST(TextTemplate, NamesAnUnknownFieldAndItsPlace) {
  try {
    const TextTemplate text{"abc{tmp}"};
    FAIL() << "an unknown field was taken";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string{error.what()}.find("{tmp} at character 4"), std::string::npos)
        << error.what();
  }
}

TEST(TextTemplate, MakesATopicForEachClient) {
  EXPECT_EQ(TextTemplate{"devices/d{i}/telemetry"}.for_client(17), "devices/d17/telemetry");
  EXPECT_THROW(static_cast<void>(TextTemplate{"a/{n}"}.for_client(0)), std::invalid_argument);
}

TEST(TextTemplate, KnowsWhereTheStampIs) {
  EXPECT_EQ(TextTemplate{"{temp} {ts}{stamp}{n}"}.stamp_offset(), 5U + 1U + 13U);
  EXPECT_EQ(TextTemplate{"no stamp"}.stamp_offset(), std::nullopt);
  EXPECT_THROW(static_cast<void>(TextTemplate{"{n}{stamp}"}.stamp_offset()), std::invalid_argument);
}

TEST(Stamp, ReadsWhatItWrote) {
  const Stamp written{.publisher = 0xFEDCBA98, .sequence = 0xABCDEF012345, .sent_ns = 1LL << 62};
  std::string bytes(Stamp::kBytes, ' ');
  written.write(bytes.data());
  Stamp read;
  ASSERT_TRUE(Stamp::read(bytes, read));
  EXPECT_EQ(read.publisher, written.publisher);
  EXPECT_EQ(read.sequence, written.sequence);
  EXPECT_EQ(read.sent_ns, written.sent_ns);
}

TEST(Stamp, RefusesWhatIsNotHexadecimal) {
  std::string bytes(Stamp::kBytes, '0');
  Stamp stamp;
  ASSERT_TRUE(Stamp::read(bytes, stamp));
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const char bad : {'g', 'A', ' ', '\xFF'}) {
      std::string broken = bytes;
      broken[at] = bad;
      EXPECT_FALSE(Stamp::read(broken, stamp)) << at;
    }
  }
  EXPECT_FALSE(Stamp::read(bytes.substr(1), stamp));
}

}  // namespace
}  // namespace hub::bench
