#pragma once

#include <cstddef>

namespace hub::test {

// How often the calling thread has allocated memory with operator new, from its start. A program
// that links this has its operator new replaced by one that counts.
[[nodiscard]] std::size_t allocations_of_this_thread() noexcept;

}  // namespace hub::test
