#pragma once

#include <string_view>

namespace hub::instances {

// A mainland resident identity number: 17 digits and a check character (GB 11643, ISO 7064
// MOD 11-2).
[[nodiscard]] bool is_identity_number(std::string_view number);

// A unified social credit code: 18 characters, the last a check character (GB 32100, MOD 31).
[[nodiscard]] bool is_social_credit_code(std::string_view code);

}  // namespace hub::instances
