#include "instances/core/calendar.h"

#include <fmt/format.h>

#include <charconv>
#include <stdexcept>

namespace hub::instances {
namespace {

using namespace std::chrono_literals;
using std::chrono::floor;

constexpr auto kOffset = 8h;

// The decimal number that `text` begins with, taken off it together with the character after it.
int take_number(std::string_view& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) throw std::invalid_argument("not a timestamp");
  const auto used = static_cast<std::size_t>(end - text.data());
  text.remove_prefix(std::min(used + 1, text.size()));
  return value;
}

}  // namespace

Day day_of(Timestamp time) { return floor<std::chrono::days>(time + kOffset); }

Timestamp start_of(Day day) { return Timestamp{day} - kOffset; }

Timestamp start_of_hour(Timestamp time) { return floor<std::chrono::hours>(time); }

bool same_month(Day a, Day b) {
  const std::chrono::year_month_day x{a}, y{b};
  return x.year() == y.year() && x.month() == y.month();
}

Timestamp package_end(Timestamp start, int months) {
  const std::chrono::year_month_day begins{day_of(start)};
  auto ends = begins + std::chrono::months{months};
  if (!ends.ok()) ends = ends.year() / ends.month() / std::chrono::last;
  return start_of(Day{ends}) + 24h - 1s;
}

std::string to_string(Day day) {
  const std::chrono::year_month_day date{day};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

std::string to_iso8601(Timestamp time) {
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::hh_mm_ss clock{time - day};
  auto text = fmt::format("{}T{:02}:{:02}:{:02}", to_string(day), clock.hours().count(),
                          clock.minutes().count(), clock.seconds().count());
  if (clock.subseconds().count() != 0) text += fmt::format(".{:06}", clock.subseconds().count());
  return text + "Z";
}

Timestamp parse_sql_timestamp(std::string_view text) {
  const std::chrono::year year{take_number(text)};
  const std::chrono::month month{static_cast<unsigned>(take_number(text))};
  const std::chrono::day day{static_cast<unsigned>(take_number(text))};
  const auto hours = take_number(text);
  const auto minutes = take_number(text);
  Timestamp time = Timestamp{Day{year / month / day}} + std::chrono::hours{hours} +
                   std::chrono::minutes{minutes};
  const auto seconds_end = text.find_first_of(".+Z");
  const bool fraction = seconds_end != std::string_view::npos && text[seconds_end] == '.';
  time += std::chrono::seconds{take_number(text)};
  if (fraction) {
    std::int64_t micro = 0;
    std::size_t digits = 0;
    for (; digits < text.size() && digits < 6 && text[digits] >= '0' && text[digits] <= '9';
         ++digits)
      micro = micro * 10 + (text[digits] - '0');
    for (; digits < 6; ++digits) micro *= 10;
    time += std::chrono::microseconds{micro};
  }
  return time;
}

}  // namespace hub::instances
