#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace hub::log {
namespace {

using namespace std::string_literals;
using namespace std::chrono_literals;

class Log : public ::testing::Test {
 protected:
  void TearDown() override { set_level(Level::info); }

  template <class F>
  static std::string captured(F f) {
    ::testing::internal::CaptureStderr();
    f();
    return ::testing::internal::GetCapturedStderr();
  }
};

TEST_F(Log, WritesOneLineWithTimeAndLevel) {
  EXPECT_THAT(captured([] { warning("rule {} has {} rows", "climate", 3); }),
              ::testing::MatchesRegex("[0-9-]+T[0-9:.]+Z warning rule climate has 3 rows\n"));
}

TEST_F(Log, LeavesOutWhatIsBelowItsLevel) {
  set_level(Level::error);
  EXPECT_EQ(captured([] { warning("not this"); }), "");
  set_level(Level::off);
  EXPECT_EQ(captured([] { error("nor this"); }), "");
  set_level(Level::debug);
  EXPECT_THAT(captured([] { debug("but this"); }), ::testing::HasSubstr(" debug but this\n"));
}

TEST_F(Log, AClientCannotForgeALine) {
  const auto text = captured([] { info("client {} left", "a\nb\x1b[2J\0c"s); });
  EXPECT_THAT(text, ::testing::EndsWith("client a\\nb\\x1b[2J\\x00c left\n"));
}

TEST_F(Log, BracesInAnArgumentAreText) {
  EXPECT_THAT(captured([] { info("{}", "{} {nothing}"); }), ::testing::EndsWith("{} {nothing}\n"));
}

TEST(LogLevel, NamesAreReadBack) {
  for (const auto level : {Level::debug, Level::info, Level::warning, Level::error, Level::off}) {
    EXPECT_EQ(parse_level(to_string(level)), level);
  }
  EXPECT_EQ(parse_level("loud"), std::nullopt);
  EXPECT_EQ(parse_level(""), std::nullopt);
}

TEST(LogThrottle, PassesAFewPerIntervalAndCountsTheRest) {
  Throttle throttle(2, 10s);
  const Throttle::Clock::time_point start{};
  EXPECT_EQ(throttle.admit(start), 0u);
  EXPECT_EQ(throttle.admit(start + 1s), 0u);
  EXPECT_EQ(throttle.admit(start + 2s), std::nullopt);
  EXPECT_EQ(throttle.admit(start + 9s), std::nullopt);
  EXPECT_EQ(throttle.admit(start + 10s), 2u);
  EXPECT_EQ(throttle.admit(start + 11s), 0u);
  EXPECT_EQ(throttle.admit(start + 12s), std::nullopt);
}

}  // namespace
}  // namespace hub::log
