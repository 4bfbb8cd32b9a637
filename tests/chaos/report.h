#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>

#include "tests/chaos/audit.h"

namespace hub::test {

// What a campaign has been.
struct Summary {
  std::uint64_t seed = 0;
  unsigned rounds = 0;
  std::chrono::seconds seconds{0};
  std::map<std::string_view, std::uint64_t> faults;
  std::uint64_t commits_cut = 0;
  std::uint64_t pings = 0;
  std::size_t peak_memory_bytes = 0;
  Account account;
  std::size_t violations = 0;
};

// On standard output, as one line of JSON.
void print(const Summary& summary);

}  // namespace hub::test
