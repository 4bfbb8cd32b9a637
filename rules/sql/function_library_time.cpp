#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <optional>

#include "rules/sql/function_library.h"
#include "rules/sql/type.h"

namespace hub::rules::sql::library {
namespace {

// Units in one second; empty when there is no such unit.
std::optional<std::int64_t> per_second(Runtime& runtime, Args args, std::size_t at) {
  if (args.size() <= at) return 1;
  const std::string_view unit = args[at].as_text();
  if (unit == "second") return 1;
  if (unit == "millisecond") return 1'000;
  if (unit == "microsecond") return 1'000'000;
  runtime.fail(
      fmt::format("{} is no unit of time; there are 'second', 'millisecond', 'microsecond'",
                  describe(args[at])));
  return std::nullopt;
}

// Reads exactly `digits` digits of a fixed form.
bool read_digits(std::string_view text, std::size_t at, std::size_t digits, int& number) {
  if (at + digits > text.size()) return false;
  const char* const begin = text.data() + at;
  const auto [end, error] = std::from_chars(begin, begin + digits, number);
  return error == std::errc() && end == begin + digits && *begin != '-';
}

struct Zone {
  bool valid = false;
  std::chrono::minutes offset{0};
};

Zone read_zone(std::string_view text) {
  if (text == "Z" || text == "z") return {true, {}};
  int hours = 0;
  int minutes = 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':' ||
      !read_digits(text, 1, 2, hours) || !read_digits(text, 4, 2, minutes) || hours > 23 ||
      minutes > 59) {
    return {};
  }
  const std::chrono::minutes offset{hours * 60 + minutes};
  return {true, text[0] == '-' ? -offset : offset};
}

// RFC 3339 section 5.6; fractions past microseconds are cut.
std::optional<std::chrono::sys_time<std::chrono::microseconds>> read_rfc3339(
    std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':' ||
      std::string_view("Tt ").find(text[10]) == std::string_view::npos ||
      !read_digits(text, 0, 4, year) || !read_digits(text, 5, 2, month) ||
      !read_digits(text, 8, 2, day) || !read_digits(text, 11, 2, hour) ||
      !read_digits(text, 14, 2, minute) || !read_digits(text, 17, 2, second)) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  std::size_t at = 19;
  std::int64_t micros = 0;
  if (text[at] == '.') {
    std::int64_t unit = 100'000;
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10) {
      micros += (text[at] - '0') * unit;
    }
    if (at == first) return std::nullopt;
  }
  const Zone zone = read_zone(text.substr(at));
  if (!zone.valid) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + std::chrono::microseconds(micros) - zone.offset;
}

}  // namespace

Value now_timestamp(Runtime& runtime, Args args) {
  const auto units = per_second(runtime, args, 0);
  if (!units) return Value::null();
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return Value::integer(std::chrono::duration_cast<std::chrono::microseconds>(now).count() /
                        (1'000'000 / *units));
}

Value unix_ts_to_rfc3339(Runtime& runtime, Args args) {
  const auto units = per_second(runtime, args, 1);
  if (!units) return Value::null();
  // Years 1 to 9999: all that RFC 3339 can write, but for the year 0.
  constexpr std::int64_t kFirst = -62'135'596'800;
  constexpr std::int64_t kLast = 253'402'300'799;
  const std::int64_t ticks = args[0].as_integer();
  std::int64_t seconds = ticks / *units;
  std::int64_t rest = ticks % *units;
  if (rest < 0) {
    rest += *units;
    --seconds;
  }
  if (seconds < kFirst || seconds > kLast) {
    return runtime.fail(fmt::format("{} is not a time within the years 1 to 9999", ticks));
  }
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[64];
  char* end = fmt::format_to(text, "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", int{date.year()},
                             unsigned{date.month()}, unsigned{date.day()}, clock.hours().count(),
                             clock.minutes().count(), clock.seconds().count());
  if (*units == 1'000) end = fmt::format_to(end, ".{:03}", rest);
  if (*units == 1'000'000) end = fmt::format_to(end, ".{:06}", rest);
  *end++ = 'Z';
  return Value::text(runtime.arena().copy({text, static_cast<std::size_t>(end - text)}));
}

Value rfc3339_to_unix_ts(Runtime& runtime, Args args) {
  const auto units = per_second(runtime, args, 1);
  if (!units) return Value::null();
  const auto time = read_rfc3339(args[0].as_text());
  if (!time) {
    return runtime.fail(fmt::format("{} is not a time as RFC 3339 writes it (2026-01-31T12:00:00Z)",
                                    describe(args[0])));
  }
  const std::int64_t micros = time->time_since_epoch().count();
  const std::int64_t divisor = 1'000'000 / *units;
  return Value::integer(micros / divisor - (micros % divisor < 0 ? 1 : 0));
}

}  // namespace hub::rules::sql::library
