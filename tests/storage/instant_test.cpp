#include "storage/instant.h"

#include <gtest/gtest.h>

#include <limits>

namespace hub::storage {
namespace {

std::int64_t micros(std::string_view text) { return parse_instant(text).value().micros; }

TEST(Instant, CountsFromTheYear2000) {
  EXPECT_EQ(micros("2000-01-01T00:00:00Z"), 0);
  EXPECT_EQ(micros("2000-01-02"), kMicrosPerDay);
  EXPECT_EQ(micros("1999-12-31T23:59:59.999999Z"), -1);
  EXPECT_EQ(micros_from_unix_ms(kPostgresEpochMs + 1), 1000);
}

TEST(Instant, AppliesTheOffset) {
  EXPECT_EQ(micros("2000-01-01T02:30:00+02:30"), 0);
  EXPECT_EQ(micros("1999-12-31 19:00:00-05:00"), 0);
  EXPECT_TRUE(parse_instant("2000-01-01t00:00:00z")->has_offset);
  EXPECT_FALSE(parse_instant("2000-01-01T00:00:00")->has_offset);
}

TEST(Instant, RoundsWhatIsFinerThanAMicrosecond) {
  EXPECT_EQ(micros("2000-01-01T00:00:00.1Z"), 100'000);
  EXPECT_EQ(micros("2000-01-01T00:00:00.1234564999Z"), 123'456);
  EXPECT_EQ(micros("2000-01-01T00:00:00.1234565Z"), 123'457);
  EXPECT_EQ(micros("2000-01-01T00:00:00.9999999Z"), 1'000'000);
}

TEST(Instant, TakesALeapSecondAndALeapDay) {
  EXPECT_EQ(micros("1999-12-31T23:59:60Z"), 0);
  EXPECT_TRUE(parse_instant("2024-02-29"));
  EXPECT_FALSE(parse_instant("2023-02-29"));
}

TEST(Instant, RefusesWhatIsNotRfc3339) {
  for (const char* text : {"",
                           "2000",
                           "2000-1-1",
                           "2000-13-01",
                           "2000-00-01",
                           "2000-01-00",
                           "0000-01-01",
                           "2000-01-01T",
                           "2000-01-01T24:00:00Z",
                           "2000-01-01T00:60:00Z",
                           "2000-01-01T00:00:61Z",
                           "2000-01-01T00:00Z",
                           "2000-01-01T00:00:00.Z",
                           "2000-01-01T00:00:00+1",
                           "infinity",
                           "2000-01-01T00:00:00+24:00",
                           "2000-01-01T00:00:00Z ",
                           " 2000-01-01",
                           "-2000-01-01",
                           "2000-01-01X00:00:00Z",
                           "2000-01-01T00:00:00 01:00"}) {
    EXPECT_FALSE(parse_instant(text)) << text;
  }
}

TEST(Instant, KeepsToTheRangeOfPostgres) {
  EXPECT_EQ(micros_from_unix_ms(kEndTimestamp / 1000 + kPostgresEpochMs - 1), kEndTimestamp - 1000);
  EXPECT_FALSE(micros_from_unix_ms(kEndTimestamp / 1000 + kPostgresEpochMs));
  EXPECT_EQ(micros_from_unix_ms(kFirstTimestamp / 1000 + kPostgresEpochMs), kFirstTimestamp);
  EXPECT_FALSE(micros_from_unix_ms(kFirstTimestamp / 1000 + kPostgresEpochMs - 1));
  EXPECT_FALSE(micros_from_unix_ms(std::numeric_limits<std::int64_t>::max()));
  EXPECT_FALSE(micros_from_unix_ms(std::numeric_limits<std::int64_t>::min()));
  EXPECT_FALSE(micros_from_unix_ms(std::numeric_limits<double>::infinity()));
  EXPECT_FALSE(micros_from_unix_ms(std::numeric_limits<double>::quiet_NaN()));
  EXPECT_EQ(micros_from_unix_ms(946'684'800'000.25), 250);
}

TEST(Instant, KnowsTheDayBeforeTheEpochToo) {
  EXPECT_EQ(day_of(0), 0);
  EXPECT_EQ(day_of(-1), -1);
  EXPECT_EQ(day_of(-kMicrosPerDay), -1);
  EXPECT_EQ(day_of(kMicrosPerDay - 1), 0);
}

}  // namespace
}  // namespace hub::storage
