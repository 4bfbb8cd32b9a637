#include "instances/core/money.h"

#include <fmt/format.h>

#include <cstdlib>

namespace hub::instances {

std::string Money::to_string() const {
  const auto size = std::abs(micro);
  const char* sign = micro < 0 ? "-" : "";
  if (micro % 10'000 == 0)
    return fmt::format("{}{}.{:02}", sign, size / 1'000'000, size % 1'000'000 / 10'000);
  return fmt::format("{}{}.{:06}", sign, size / 1'000'000, size % 1'000'000);
}

std::optional<Money> parse_payment(std::string_view text) {
  const auto point = text.find('.');
  const auto whole = text.substr(0, point);
  const auto cents = point == std::string_view::npos ? "" : text.substr(point + 1);
  if (whole.empty() || whole.size() > 9 || cents.size() > 2) return std::nullopt;
  if (point != std::string_view::npos && cents.empty()) return std::nullopt;
  Money money;
  std::int64_t unit = 1'000'000;
  for (const char c : whole) {
    if (c < '0' || c > '9') return std::nullopt;
    money.micro = money.micro * 10 + (c - '0') * unit;
  }
  for (const char c : cents) {
    if (c < '0' || c > '9') return std::nullopt;
    unit /= 10;
    money.micro += (c - '0') * unit;
  }
  return money;
}

}  // namespace hub::instances
