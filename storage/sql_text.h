#pragma once

#include <string>
#include <string_view>

namespace hub::storage {

// "name", as an identifier in SQL.
[[nodiscard]] std::string quote_identifier(std::string_view name);

// 'text', as a literal in SQL; whatever standard_conforming_strings is.
[[nodiscard]] std::string quote_literal(std::string_view text);

}  // namespace hub::storage
