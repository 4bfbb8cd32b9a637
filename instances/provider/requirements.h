#pragma once

#include <string>
#include <vector>

namespace hub::instances {

// What this process and this machine lack for real isolation: privileges, programs, kernel parts,
// each in a sentence that says what to do about it. Empty when nothing is missing. Tries the
// network's parts out in a namespace of its own, which is gone when it returns.
[[nodiscard]] std::vector<std::string> missing_for_isolation();

}  // namespace hub::instances
