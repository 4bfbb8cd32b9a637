#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace hub {

// A fast hash of short texts for tables whose keys a peer chooses: without the seed, a peer that
// knows the function cannot choose keys that collide. Not for anything that leaves the process.
[[nodiscard]] inline std::uint64_t hash_text(std::string_view text, std::uint64_t seed) noexcept {
  const auto fold = [](std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  const auto word = [](const char* p, std::size_t bytes) {
    std::uint64_t value = 0;
    std::memcpy(&value, p, bytes);
    return value;
  };
  constexpr std::uint64_t kOdd = 0x9E37'79B9'7F4A'7C15;
  std::uint64_t hash = seed ^ (text.size() * kOdd);
  const char* p = text.data();
  std::size_t left = text.size();
  for (; left > 8; p += 8, left -= 8) hash = fold(hash ^ word(p, 8), kOdd ^ seed);
  return fold(hash ^ word(p, left), kOdd ^ (seed << 1 | 1));
}

}  // namespace hub
