#include "storage/instant.h"

#include <chrono>
#include <cmath>

namespace hub::storage {
namespace {

// Reads the text from left to right; a reader that has failed stays so.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  // Exactly `digits` decimal digits.
  int number(int digits) {
    int value = 0;
    for (int i = 0; i < digits; ++i) value = value * 10 + digit();
    return value;
  }
  bool accept(char a, char b) {
    if (rest_.empty() || (rest_[0] != a && rest_[0] != b)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c, c)) good_ = false;
  }
  int digit() {
    if (!at_digit()) {
      good_ = false;
      return 0;
    }
    const int value = rest_[0] - '0';
    rest_.remove_prefix(1);
    return value;
  }
  [[nodiscard]] bool at_digit() const {
    return !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9';
  }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool done() const { return good_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

std::int64_t fraction_micros(Reader& in) {
  std::int64_t micros = in.digit() * 100'000;
  for (std::int64_t scale = 10'000; scale > 0 && in.at_digit(); scale /= 10) {
    micros += in.digit() * scale;
  }
  if (in.at_digit() && in.digit() >= 5) ++micros;
  while (in.at_digit()) (void)in.digit();
  return micros;
}

}  // namespace

std::optional<std::int64_t> micros_from_unix_ms(std::int64_t ms) noexcept {
  if (ms < kFirstTimestamp / 1000 + kPostgresEpochMs ||
      ms >= kEndTimestamp / 1000 + kPostgresEpochMs) {
    return std::nullopt;
  }
  return (ms - kPostgresEpochMs) * 1000;
}

std::optional<std::int64_t> micros_from_unix_ms(double ms) noexcept {
  const double whole = std::floor(ms);
  if (!(whole >= -9e18 && whole <= 9e18)) return std::nullopt;
  const auto micros = micros_from_unix_ms(static_cast<std::int64_t>(whole));
  if (!micros) return std::nullopt;
  return *micros + std::llround((ms - whole) * 1000);
}

std::optional<ParsedInstant> parse_instant(std::string_view text) noexcept {
  Reader in(text);
  const int year = in.number(4);
  in.expect('-');
  const int month = in.number(2);
  in.expect('-');
  const int day = in.number(2);
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!in.good() || year == 0 || !date.ok()) return std::nullopt;
  const std::int64_t days =
      (std::chrono::sys_days(date) - std::chrono::sys_days(std::chrono::year(2000) / 1 / 1))
          .count();
  ParsedInstant out{days * kMicrosPerDay, false, false};
  if (in.done()) return out;

  if (!in.accept('T', 't') && !in.accept(' ', ' ')) return std::nullopt;
  const int hour = in.number(2);
  in.expect(':');
  const int minute = in.number(2);
  in.expect(':');
  const int second = in.number(2);  // 60: a leap second, which is the next minute's first
  if (hour > 23 || minute > 59 || second > 60) return std::nullopt;
  out.has_time = true;
  out.micros += ((hour * 60 + minute) * 60 + second) * std::int64_t{1'000'000};
  if (in.accept('.', '.')) out.micros += fraction_micros(in);
  if (in.done()) return out;

  out.has_offset = true;
  if (!in.accept('Z', 'z')) {
    const bool east = in.accept('+', '+');
    if (!east) in.expect('-');
    const int offset_hour = in.number(2);
    in.expect(':');
    const int offset_minute = in.number(2);
    if (offset_hour > 23 || offset_minute > 59) return std::nullopt;
    const std::int64_t offset = (offset_hour * 60 + offset_minute) * std::int64_t{60'000'000};
    out.micros += east ? -offset : offset;
  }
  if (!in.done()) return std::nullopt;
  return out;
}

std::int64_t day_of(std::int64_t micros) noexcept {
  const std::int64_t day = micros / kMicrosPerDay;
  return micros % kMicrosPerDay < 0 ? day - 1 : day;
}

}  // namespace hub::storage
