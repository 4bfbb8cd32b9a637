#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hub::storage {

// PostgreSQL's own count: microseconds, or days, since 2000-01-01 00:00 UTC.
inline constexpr std::int64_t kPostgresEpochMs = 946'684'800'000;
inline constexpr std::int64_t kMicrosPerDay = 86'400'000'000;

// What timestamp and timestamptz can hold: 4714-11-24 BC up to before 294277-01-01.
inline constexpr std::int64_t kFirstTimestamp = -211'813'488'000'000'000;
inline constexpr std::int64_t kEndTimestamp = 9'223'371'331'200'000'000;

// Milliseconds since 1970 as microseconds since 2000; empty when out of the range above.
[[nodiscard]] std::optional<std::int64_t> micros_from_unix_ms(std::int64_t ms) noexcept;
[[nodiscard]] std::optional<std::int64_t> micros_from_unix_ms(double ms) noexcept;

// A point in time as text, by RFC 3339: "2024-02-29T23:59:60.123456+01:00"; a space may stand for
// the T, and each of them may be in lower case. Years 0001 to 9999.
struct ParsedInstant {
  std::int64_t micros;  // since 2000; as UTC when has_offset, else of the wall clock that was given
  bool has_offset;
  bool has_time;  // false: a date alone
};

// Empty when the text is neither that nor a date alone ("2024-02-29"). Parts of a second finer than
// a microsecond are rounded.
[[nodiscard]] std::optional<ParsedInstant> parse_instant(std::string_view text) noexcept;

// The day of a moment, in days since 2000-01-01.
[[nodiscard]] std::int64_t day_of(std::int64_t micros) noexcept;

}  // namespace hub::storage
