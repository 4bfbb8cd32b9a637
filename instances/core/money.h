#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hub::instances {

// An amount in yuan, in whole millionths; never a fraction of binary floating point.
struct Money {
  std::int64_t micro = 0;

  friend auto operator<=>(const Money&, const Money&) = default;
  friend Money operator+(Money a, Money b) { return {a.micro + b.micro}; }
  friend Money operator-(Money a, Money b) { return {a.micro - b.micro}; }
  friend Money operator*(Money a, std::int64_t n) { return {a.micro * n}; }
  Money& operator+=(Money b) { return *this = *this + b; }
  Money& operator-=(Money b) { return *this = *this - b; }
  Money operator-() const { return {-micro}; }

  // Without the part of a cent, towards zero: prices have six decimals, payments two.
  [[nodiscard]] Money whole_cents() const { return {micro / 10'000 * 10'000}; }
  // "21.92"; six decimals when there is part of a cent.
  [[nodiscard]] std::string to_string() const;
};

[[nodiscard]] constexpr Money yuan(std::int64_t yuan, std::int64_t cents = 0) {
  return {yuan * 1'000'000 + cents * 10'000};
}

// "100", "100.5" or "100.00": not negative, at most two decimals, below a thousand million.
[[nodiscard]] std::optional<Money> parse_payment(std::string_view text);

}  // namespace hub::instances
