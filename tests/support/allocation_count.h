#pragma once

#include <cstddef>

namespace hub::test {

// How often the calling thread has allocated memory, from its start: with operator new, which a
// program that links this has replaced by one that counts; or, under a sanitizer, in any way.
[[nodiscard]] std::size_t allocations_of_this_thread() noexcept;

}  // namespace hub::test
