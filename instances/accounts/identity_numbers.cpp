#include "instances/accounts/identity_numbers.h"

#include <array>
#include <cstddef>

namespace hub::instances {

bool is_identity_number(std::string_view number) {
  if (number.size() != 18) return false;
  constexpr std::array kWeights{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
  int sum = 0;
  for (std::size_t i = 0; i < kWeights.size(); ++i) {
    if (number[i] < '0' || number[i] > '9') return false;
    sum += (number[i] - '0') * kWeights[i];
  }
  return number[17] == "10X98765432"[sum % 11];
}

bool is_social_credit_code(std::string_view code) {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHJKLMNPQRTUWXY";
  if (code.size() != 18) return false;
  std::size_t sum = 0, weight = 1;
  for (std::size_t i = 0; i < 17; ++i) {
    const auto value = kDigits.find(code[i]);
    if (value == std::string_view::npos) return false;
    sum += value * weight;
    weight = weight * 3 % 31;
  }
  return code[17] == kDigits[(31 - sum % 31) % 31];
}

}  // namespace hub::instances
