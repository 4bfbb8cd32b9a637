#pragma once

#include <string>
#include <string_view>

namespace hub::instances {

// Names that people give to resources. Each throws Refusal(InvalidRequest) that says what is wrong.

// `min` to 32 characters: Chinese characters, letters, digits, '_' and '-'.
void check_name(std::string_view what, std::string_view name, std::size_t min = 1);

// At most 256 characters of UTF-8.
void check_description(std::string_view description);

// An account's login name: 3 to 32 of a-z, 0-9 and '-', a letter first.
void check_account_name(std::string_view name);

}  // namespace hub::instances
