#pragma once

#include <span>
#include <string_view>

namespace hub::instances {

// The scripts of instances/sql, in the order of their numbers: the schema's versions 1, 2, …
[[nodiscard]] std::span<const std::string_view> schema_scripts();

}  // namespace hub::instances
