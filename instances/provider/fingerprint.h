#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hub::instances {

// FNV-1a: the same at every start of every version, as names and comparisons across restarts need.
[[nodiscard]] constexpr std::uint64_t stable_hash(std::string_view text,
                                                  std::uint64_t hash = 0xcbf29ce484222325) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace hub::instances
